//! Shared nodes under steady numbers: what makes the clone of a big sorted set cheap.
//!
//! A node is named by a number, so that the tree and the hash index can both point to it. The nodes are reference
//! counted one by one and, 32 at a time, through the chunk that lists them:
//!
//! ```text
//! chunks   Arc ──► [ Arc ──► node, Arc ──► node, - , ... ]     32 places, number = chunk * 32 + place
//!          Arc ──► [ ... ]
//! ```
//!
//! A clone counts up once a chunk. A writer that finds its chunk or node shared copies these two, and nothing else. It asks
//! that at each of some seven steps to an entry, so the `Arc` is one without weak references: the answer is a load, where
//! the standard library's is a locked exchange.

use std::mem::size_of;
use std::ptr;

use triomphe::Arc;

use crate::base::prefetch;
use crate::value::ARC_HEAD;

/// Places in a chunk.
const CHUNK: usize = 32;

type Chunk<T> = [Option<Arc<T>>; CHUNK];

/// Numbered nodes, copied on write.
#[derive(Debug, Clone)]
pub(super) struct Slab<T> {
    chunks: Vec<Arc<Chunk<T>>>,
    /// Numbers without a node.
    free: Vec<u32>,
}

impl<T: Clone> Slab<T> {
    pub(super) fn new() -> Self {
        Slab { chunks: Vec::new(), free: Vec::new() }
    }

    /// Nodes held.
    pub(super) fn len(&self) -> usize {
        self.chunks.len() * CHUNK - self.free.len()
    }

    /// The node of this number.
    #[inline]
    pub(super) fn get(&self, id: u32) -> &T {
        match &self.chunks[id as usize / CHUNK][id as usize % CHUNK] {
            Some(node) => node,
            None => unreachable!("a number is used only from add to take"),
        }
    }

    /// Asks for the memory of the node's place, which [`Slab::prefetch`] goes by.
    #[inline]
    pub(super) fn prefetch_place(&self, id: u32) {
        let chunk = Arc::as_ptr(&self.chunks[id as usize / CHUNK]).cast::<Option<Arc<T>>>();
        prefetch::line(chunk.wrapping_add(id as usize % CHUNK).cast());
    }

    /// Asks for the memory of the node itself, not of what it points to.
    #[inline]
    pub(super) fn prefetch(&self, id: u32) {
        prefetch::bytes(ptr::from_ref(self.get(id)).cast(), size_of::<T>());
    }

    /// The node of this number, for changing it; copied first if a clone shares it.
    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> &mut T {
        match self.place(id) {
            Some(node) => Arc::make_mut(node),
            None => unreachable!("a number is used only from add to take"),
        }
    }

    /// Keeps a node and returns its number.
    pub(super) fn add(&mut self, node: T) -> u32 {
        if self.free.is_empty() {
            let first = (self.chunks.len() * CHUNK) as u32;
            self.chunks.push(Arc::new(Chunk::default()));
            self.free.extend((first..first + CHUNK as u32).rev());
        }
        let Some(id) = self.free.pop() else { unreachable!("a new chunk has free places") };
        *self.place(id) = Some(Arc::new(node));
        id
    }

    /// Gives the number back, and the node.
    pub(super) fn take(&mut self, id: u32) -> T {
        match self.place(id).take() {
            Some(node) => {
                self.free.push(id);
                Arc::unwrap_or_clone(node)
            }
            None => unreachable!("a number is used only from add to take"),
        }
    }

    /// Heap bytes of the lists, without the nodes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Arc<Chunk<T>>>()
            + self.chunks.len() * (ARC_HEAD + size_of::<Chunk<T>>())
            + self.free.capacity() * size_of::<u32>()
    }

    /// Bytes that a node takes beyond what it has on the heap itself.
    pub(super) const NODE_BYTES: usize = ARC_HEAD + size_of::<T>();

    fn place(&mut self, id: u32) -> &mut Option<Arc<T>> {
        &mut Arc::make_mut(&mut self.chunks[id as usize / CHUNK])[id as usize % CHUNK]
    }

    /// The numbers in use.
    #[cfg(test)]
    pub(super) fn ids(&self) -> Vec<u32> {
        (0..(self.chunks.len() * CHUNK) as u32).filter(|id| !self.free.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw_and_shares_what_nobody_changed() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..100).map(|i| slab.add(i)).collect();
        assert_eq!((ids.len(), slab.len()), (100, 100));
        let before = slab.clone();
        *slab.get_mut(ids[7]) = 1000;
        assert_eq!(slab.take(ids[8]), 8);
        let reused = slab.add(2000);
        assert_eq!(reused, ids[8]);
        assert_eq!((*before.get(ids[7]), *before.get(ids[8])), (7, 8));
        assert_eq!((*slab.get(ids[7]), *slab.get(ids[8]), *slab.get(ids[9])), (1000, 2000, 9));
        assert!(std::ptr::eq(slab.get(ids[9]), before.get(ids[9])), "same chunk, other node");
        assert!(!std::ptr::eq(slab.get(ids[7]), before.get(ids[7])));
    }
}
