//! The order of a big sorted set: a B+ tree that counts.
//!
//! ```text
//! inner    low, count, node | low, count, node | ...         up to 32 children
//!                       |
//! leaf     (score, member) ...                               up to 128 entries, see leaf.rs
//! ```
//!
//! Every child knows how many entries lie under it, so the entry of a rank and the rank of an entry take one way down.
//! Every range (by rank, score or member) is therefore first turned into a range of ranks: counting is a subtraction,
//! an offset an addition, and walking needs no links between leaves, because the next leaf is found by its rank.
//!
//! `low` divides a child from its left neighbour: greater than all entries there, not greater than any here. Where the
//! scores differ it is a score alone; else it has as much of the member as is needed to tell both sides apart. The
//! first child's low is never looked at.
//!
//! Whoever indexes the members by something else is told where they are ([`Watch`]).

use std::cmp::Ordering;
use std::mem::size_of;
use std::ops::Range;

use triomphe::Arc;

use super::leaf::{ENTRIES_MAX, Leaf, compare};
use super::slab::Slab;
use crate::value::ARC_HEAD;

/// Children of an inner node before it is cut in two.
const CHILDREN_MAX: usize = if cfg!(test) { 4 } else { 32 };
/// Heap bytes of an inner node; always allocated for one child more than it keeps.
const INNER_BYTES: usize = ARC_HEAD + size_of::<Inner>() + (CHILDREN_MAX + 1) * size_of::<Child>();

/// Who is told in which leaf the entries are.
pub(super) trait Watch {
    /// An entry of this tag is now in `leaf`.
    fn placed(&mut self, tag: u32, leaf: u32);
    /// An entry of this tag is no longer in `leaf`.
    fn gone(&mut self, tag: u32, leaf: u32);
    /// An entry of this tag went from one leaf to another.
    fn moved(&mut self, tag: u32, from: u32, to: u32);
}

/// Entries in the order of (score, member).
#[derive(Debug, Clone)]
pub(super) struct Tree {
    root: Child,
    store: Store,
}

/// The leaves, and what all nodes take.
#[derive(Debug, Clone)]
struct Store {
    leaves: Slab<Leaf>,
    /// Heap bytes of leaves, inner nodes and lows, not of the slab's lists.
    heap: usize,
}

#[derive(Debug, Clone)]
struct Child {
    low: Low,
    count: usize,
    node: Node,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(u32),
    Inner(Arc<Inner>),
}

impl Child {
    /// Whether it has so little that it could be joined with a neighbour.
    fn is_sparse(&self) -> bool {
        match &self.node {
            Node::Leaf(_) => self.count < ENTRIES_MAX / 2,
            Node::Inner(inner) => inner.children.len() < CHILDREN_MAX / 2,
        }
    }
}

#[derive(Debug)]
struct Inner {
    children: Vec<Child>,
}

/// What divides two children.
#[derive(Debug, Clone)]
struct Low {
    score: f64,
    /// `None` where the score is enough.
    member: Option<Arc<[u8]>>,
}

/// Whether a node lies at an edge of the tree. Entries that come in ascending or descending order fill leaves at an edge
/// whole, instead of leaving them half empty.
#[derive(Debug, Clone, Copy)]
struct Edge {
    first: bool,
    last: bool,
}

impl Low {
    const LEAST: Low = Low { score: f64::NEG_INFINITY, member: None };

    fn between(left: (f64, &[u8]), right: (f64, &[u8])) -> Low {
        if left.0 < right.0 {
            return Low { score: right.0, member: None };
        }
        let same = left.1.iter().zip(right.1).take_while(|(a, b)| a == b).count();
        Low { score: right.0, member: Some(Arc::from(&right.1[..same + 1])) }
    }

    fn key(&self) -> (f64, &[u8]) {
        (self.score, self.member.as_deref().unwrap_or_default())
    }

    fn heap_bytes(&self) -> usize {
        self.member.as_ref().map_or(0, |member| ARC_HEAD + member.len())
    }
}

impl Inner {
    fn of(children: impl IntoIterator<Item = Child>) -> Arc<Inner> {
        let mut inner = Inner { children: Vec::with_capacity(CHILDREN_MAX + 1) };
        inner.children.extend(children);
        Arc::new(inner)
    }

    /// The child in which the entry of `rank` is, or after the last one the last child; and its rank in there.
    fn child_of_rank(&self, mut rank: usize) -> (usize, usize) {
        for (index, child) in self.children.iter().enumerate() {
            if rank < child.count || index + 1 == self.children.len() {
                return (index, rank);
            }
            rank -= child.count;
        }
        (0, rank)
    }

    /// The last child that begins with what is before, if `is_before` holds for everything up to a point.
    fn child_at(&self, is_before: &mut impl FnMut(f64, &[u8]) -> bool) -> usize {
        let others = self.children.get(1..).unwrap_or_default();
        others.partition_point(|child| {
            let (score, member) = child.low.key();
            is_before(score, member)
        })
    }
}

/// The room for one child more comes along.
impl Clone for Inner {
    fn clone(&self) -> Inner {
        let mut children = Vec::with_capacity(CHILDREN_MAX + 1);
        children.extend_from_slice(&self.children);
        Inner { children }
    }
}

impl Store {
    /// Changes a leaf and keeps the account.
    fn edit<R>(&mut self, id: u32, change: impl FnOnce(&mut Leaf) -> R) -> R {
        let before = self.leaves.get(id).heap_bytes();
        let leaf = self.leaves.get_mut(id);
        let result = change(leaf);
        self.heap = self.heap + leaf.heap_bytes() - before;
        result
    }

    fn add_leaf(&mut self, leaf: Leaf) -> u32 {
        self.heap += Slab::<Leaf>::NODE_BYTES + leaf.heap_bytes();
        self.leaves.add(leaf)
    }

    fn take_leaf(&mut self, id: u32) -> Leaf {
        self.heap -= Slab::<Leaf>::NODE_BYTES + self.leaves.get(id).heap_bytes();
        self.leaves.take(id)
    }

    fn add_inner(&mut self, children: impl IntoIterator<Item = Child>) -> Node {
        self.heap += INNER_BYTES;
        Node::Inner(Inner::of(children))
    }

    fn take_inner(&mut self, inner: Arc<Inner>) -> Vec<Child> {
        self.heap -= INNER_BYTES;
        Arc::unwrap_or_clone(inner).children
    }

    /// Puts the entry in under `child`. A child that had to be cut returns its right part.
    fn insert(
        &mut self,
        child: &mut Child,
        entry: (f64, &[u8]),
        tag: u32,
        edge: Edge,
        watch: &mut impl Watch,
    ) -> Option<Child> {
        let inner = match &mut child.node {
            Node::Leaf(id) => {
                let id = *id;
                let leaf = self.leaves.get(id);
                let at = leaf.partition(|score, member| compare((score, member), entry).is_lt());
                if !leaf.has_room(entry.1.len()) {
                    return Some(self.cut_leaf(child, id, at, entry, tag, edge, watch));
                }
                self.edit(id, |leaf| leaf.insert(at, entry.0, tag, entry.1));
                watch.placed(tag, id);
                child.count += 1;
                return None;
            }
            Node::Inner(inner) => Arc::make_mut(inner),
        };
        let index = inner.child_at(&mut |score, member| compare((score, member), entry).is_le());
        let (first, last) = (edge.first && index == 0, edge.last && index + 1 == inner.children.len());
        let right = self.insert(&mut inner.children[index], entry, tag, Edge { first, last }, watch);
        child.count += 1;
        inner.children.insert(index + 1, right?);
        let length = inner.children.len();
        if length <= CHILDREN_MAX {
            return None;
        }
        let cut = if last {
            length - 1
        } else if first {
            1
        } else {
            length / 2
        };
        let mut children: Vec<Child> = inner.children.drain(cut..).collect();
        // What divided the two parts inside divides them one floor up.
        let low = std::mem::replace(&mut children[0].low, Low::LEAST);
        let count = children.iter().map(|child| child.count).sum();
        child.count -= count;
        Some(Child { low, count, node: self.add_inner(children) })
    }

    /// Cuts a full leaf and puts the entry in on the right side of the cut.
    #[expect(clippy::too_many_arguments, reason = "the state of one step down, and only used there")]
    fn cut_leaf(
        &mut self,
        child: &mut Child,
        id: u32,
        at: usize,
        entry: (f64, &[u8]),
        tag: u32,
        edge: Edge,
        watch: &mut impl Watch,
    ) -> Child {
        let length = child.count;
        let (left, right) = if edge.last && at == length {
            (id, self.add_leaf(Leaf::new()))
        } else if edge.first && at == 0 {
            (self.add_leaf(Leaf::new()), id)
        } else {
            let half = self.edit(id, |leaf| leaf.split_off(length / 2));
            let right = self.add_leaf(half);
            let leaf = self.leaves.get(right);
            (0..leaf.len()).for_each(|at| watch.moved(leaf.tag(at), id, right));
            (id, right)
        };
        let left_length = self.leaves.get(left).len();
        // Before the first entry of the right part, an entry may go to either side; an empty one must get it.
        let to_left = left_length == 0 || (at <= left_length && self.leaves.get(right).len() > 0);
        let (target, at) = if to_left { (left, at) } else { (right, at - left_length) };
        self.edit(target, |leaf| leaf.insert(at, entry.0, tag, entry.1));
        watch.placed(tag, target);

        let (left_leaf, right_leaf) = (self.leaves.get(left), self.leaves.get(right));
        let low = Low::between(left_leaf.key(left_leaf.len() - 1), right_leaf.key(0));
        self.heap += low.heap_bytes();
        child.count = left_leaf.len();
        child.node = Node::Leaf(left);
        Child { low, count: right_leaf.len(), node: Node::Leaf(right) }
    }

    /// Removes entries of one leaf from `rank` on, `most` at most. Returns how many.
    fn remove(&mut self, child: &mut Child, rank: usize, most: usize, watch: &mut impl Watch) -> usize {
        let removed = match &mut child.node {
            Node::Leaf(id) => {
                let leaf = self.leaves.get(*id);
                let range = rank..leaf.len().min(rank.saturating_add(most));
                range.clone().for_each(|at| watch.gone(leaf.tag(at), *id));
                let removed = range.len();
                self.edit(*id, |leaf| leaf.remove(range));
                removed
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let (index, rank) = inner.child_of_rank(rank);
                let removed = self.remove(&mut inner.children[index], rank, most, watch);
                self.tidy(&mut inner.children, index, watch);
                removed
            }
        };
        child.count -= removed;
        removed
    }

    /// Removes one entry, which is at `at` in its leaf.
    fn remove_entry(&mut self, child: &mut Child, entry: (f64, &[u8]), at: usize, watch: &mut impl Watch) {
        match &mut child.node {
            Node::Leaf(id) => {
                watch.gone(self.leaves.get(*id).tag(at), *id);
                self.edit(*id, |leaf| leaf.remove(at..at + 1));
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let index = inner.child_at(&mut |score, member| compare((score, member), entry).is_le());
                self.remove_entry(&mut inner.children[index], entry, at, watch);
                self.tidy(&mut inner.children, index, watch);
            }
        }
        child.count -= 1;
    }

    /// Drops or joins the child that has lost entries.
    fn tidy(&mut self, children: &mut Vec<Child>, index: usize, watch: &mut impl Watch) {
        if children[index].count == 0 && children.len() > 1 {
            let empty = children.remove(index);
            return self.discard(empty);
        }
        if !children[index].is_sparse() {
            return;
        }
        for left in [index, index.saturating_sub(1)] {
            if left + 1 < children.len() && self.could_join(&children[left], &children[left + 1]) {
                let right = children.remove(left + 1);
                self.join(&mut children[left], right, watch);
                return;
            }
        }
    }

    fn could_join(&self, left: &Child, right: &Child) -> bool {
        match (&left.node, &right.node) {
            // Nearly always the counts tell that they could not, and neither leaf is touched.
            (Node::Leaf(one), Node::Leaf(other)) => {
                left.count + right.count <= ENTRIES_MAX / 2
                    && self.leaves.get(*one).could_join(self.leaves.get(*other))
            }
            (Node::Inner(left), Node::Inner(right)) => {
                left.children.len() + right.children.len() <= CHILDREN_MAX / 2
            }
            _ => false,
        }
    }

    /// Moves all of `right` into its left neighbour.
    fn join(&mut self, left: &mut Child, right: Child, watch: &mut impl Watch) {
        let Child { low: right_low, count, node: right } = right;
        left.count += count;
        match (&mut left.node, right) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                let keep_left = self.leaves.get(*left).len() >= self.leaves.get(right).len();
                let (into, from) = if keep_left { (*left, right) } else { (right, *left) };
                let source = self.take_leaf(from);
                (0..source.len()).for_each(|at| watch.moved(source.tag(at), from, into));
                self.edit(into, |leaf| leaf.absorb(&source, !keep_left));
                *left = into;
                self.heap -= right_low.heap_bytes();
            }
            (Node::Inner(left), Node::Inner(right)) => {
                let mut children = self.take_inner(right);
                // The first child's own low may be out of date: nobody looks at it. Now somebody will.
                let stale = std::mem::replace(&mut children[0].low, right_low);
                self.heap -= stale.heap_bytes();
                Arc::make_mut(left).children.append(&mut children);
            }
            _ => unreachable!("all leaves are equally far from the root"),
        }
    }

    fn discard(&mut self, child: Child) {
        self.heap -= child.low.heap_bytes();
        match child.node {
            Node::Leaf(id) => drop(self.take_leaf(id)),
            Node::Inner(inner) => {
                self.take_inner(inner).into_iter().for_each(|child| self.discard(child));
            }
        }
    }
}

impl Tree {
    pub(super) fn new() -> Tree {
        let mut store = Store { leaves: Slab::new(), heap: 0 };
        let node = Node::Leaf(store.add_leaf(Leaf::new()));
        Tree { root: Child { low: Low::LEAST, count: 0, node }, store }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.root.count
    }

    /// Heap bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.store.heap + self.store.leaves.heap_bytes()
    }

    #[inline]
    pub(super) fn leaf(&self, id: u32) -> &Leaf {
        self.store.leaves.get(id)
    }

    /// Puts an entry in that is not there yet.
    pub(super) fn insert(&mut self, score: f64, member: &[u8], tag: u32, watch: &mut impl Watch) {
        let edge = Edge { first: true, last: true };
        if let Some(right) = self.store.insert(&mut self.root, (score, member), tag, edge, watch) {
            let count = self.root.count + right.count;
            let empty = Child { low: Low::LEAST, count: 0, node: Node::Leaf(u32::MAX) };
            let left = std::mem::replace(&mut self.root, empty);
            self.root = Child { low: Low::LEAST, count, node: self.store.add_inner([left, right]) };
        }
    }

    /// Removes the entries of these ranks, as far as there are any.
    pub(super) fn remove(&mut self, ranks: Range<usize>, watch: &mut impl Watch) {
        let mut left = ranks.end.min(self.len()).saturating_sub(ranks.start);
        while left > 0 {
            left -= self.store.remove(&mut self.root, ranks.start, left, watch);
        }
        self.lower();
    }

    /// Removes an entry that is there, at `at` in its leaf: as [`Tree::remove`] of its rank, but on one way down.
    pub(super) fn remove_entry(&mut self, entry: (f64, &[u8]), at: usize, watch: &mut impl Watch) {
        self.store.remove_entry(&mut self.root, entry, at, watch);
        self.lower();
    }

    /// Takes roots of a single child away.
    fn lower(&mut self) {
        while let Node::Inner(inner) = &mut self.root.node
            && inner.children.len() == 1
        {
            let Some(mut only) = Arc::make_mut(inner).children.pop() else { return };
            self.store.heap -= INNER_BYTES + only.low.heap_bytes();
            only.low = Low::LEAST;
            self.root = only;
        }
    }

    /// Changes a score where that changes no order, seen from this one leaf. False if it may, and nothing was done.
    pub(super) fn rescore(&mut self, id: u32, at: usize, score: f64) -> bool {
        let leaf = self.leaf(id);
        let key = (score, leaf.member(at));
        let alone = matches!(self.root.node, Node::Leaf(_));
        let after_left = if at > 0 { compare(leaf.key(at - 1), key).is_lt() } else { alone };
        let before_right = if at + 1 < leaf.len() { compare(key, leaf.key(at + 1)).is_lt() } else { alone };
        let stays = after_left && before_right;
        if stays {
            self.store.edit(id, |leaf| leaf.set_score(at, score));
        }
        stays
    }

    /// The leaf that an entry of this score belongs to, or the first of several.
    pub(super) fn leaf_of(&self, score: f64) -> u32 {
        let mut node = &self.root.node;
        loop {
            match node {
                Node::Leaf(id) => return *id,
                Node::Inner(inner) => node = &inner.children[inner.child_at(&mut |s, _| s < score)].node,
            }
        }
    }

    /// Asks for the memory of these leaves, step by step for all of them.
    pub(super) fn prefetch(&self, leaves: &[u32]) {
        leaves.iter().for_each(|&id| self.store.leaves.prefetch_place(id));
        leaves.iter().for_each(|&id| self.store.leaves.prefetch(id));
        leaves.iter().for_each(|&id| self.leaf(id).prefetch());
    }

    /// The number of entries for which `is_before` holds; it must hold for all up to a point, and then for none.
    pub(super) fn partition(&self, mut is_before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        let (mut node, mut before) = (&self.root.node, 0);
        loop {
            match node {
                Node::Leaf(id) => return before + self.leaf(*id).partition(is_before),
                Node::Inner(inner) => {
                    let index = inner.child_at(&mut is_before);
                    before += inner.children[..index].iter().map(|child| child.count).sum::<usize>();
                    node = &inner.children[index].node;
                }
            }
        }
    }

    /// The number of entries before this one.
    pub(super) fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.partition(|s, m| compare((s, m), (score, member)) == Ordering::Less)
    }

    /// The leaf of the entry of this rank, and where in the leaf it is.
    pub(super) fn locate(&self, rank: usize) -> Option<(&Leaf, usize)> {
        let (mut node, mut rank) = (&self.root.node, rank);
        loop {
            match node {
                Node::Leaf(id) => {
                    let leaf = self.leaf(*id);
                    return (rank < leaf.len()).then_some((leaf, rank));
                }
                Node::Inner(inner) => {
                    let (index, rest) = inner.child_of_rank(rank);
                    node = &inner.children[index].node;
                    rank = rest;
                }
            }
        }
    }

    /// The entries of these ranks, as far as there are any.
    pub(super) fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        let end = ranks.end.min(self.len());
        Iter { tree: self, ranks: ranks.start.min(end)..end, front: None, back: None }
    }
}

/// Entries from both ends, by rank.
#[derive(Debug, Clone)]
pub(super) struct Iter<'a> {
    tree: &'a Tree,
    ranks: Range<usize>,
    /// The leaf that the front is in, and the place of the next entry.
    front: Option<(&'a Leaf, usize)>,
    /// The leaf that the back is in, and the place of the last entry given.
    back: Option<(&'a Leaf, usize)>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next()?;
        let (leaf, at) = match self.front {
            Some((leaf, at)) if at < leaf.len() => (leaf, at),
            _ => self.tree.locate(rank)?,
        };
        self.front = Some((leaf, at + 1));
        let (score, member) = leaf.key(at);
        Some((member, score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.ranks.start = self.ranks.start.saturating_add(n).min(self.ranks.end);
        self.front = None;
        self.next()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next_back()?;
        let (leaf, at) = match self.back {
            Some((leaf, at)) if at > 0 => (leaf, at - 1),
            _ => self.tree.locate(rank)?,
        };
        self.back = Some((leaf, at));
        let (score, member) = leaf.key(at);
        Some((member, score))
    }
}

#[cfg(test)]
impl Tree {
    pub(super) fn leaf_ids(&self) -> Vec<u32> {
        self.store.leaves.ids()
    }

    /// Panics if counts, lows, the order, depths, leaves or the account do not agree.
    pub(super) fn check(&self) {
        let mut seen = Seen::default();
        self.check_child(&self.root, 0, None, None, &mut seen);
        assert_eq!(self.store.heap, seen.heap);
        let mut ids = self.store.leaves.ids();
        seen.leaves.sort_unstable();
        ids.sort_unstable();
        assert_eq!(ids, seen.leaves);
        let all: Vec<_> = self.iter(0..self.len()).collect();
        assert_eq!(all.len(), self.len());
        assert!(all.windows(2).all(|w| compare((w[0].1, w[0].0), (w[1].1, w[1].0)).is_lt()));
    }

    fn check_child(
        &self,
        child: &Child,
        depth: usize,
        low: Option<&Low>,
        high: Option<&Low>,
        seen: &mut Seen,
    ) {
        seen.heap += child.low.heap_bytes();
        match &child.node {
            Node::Leaf(id) => {
                assert!(seen.depth.is_none_or(|other| other == depth));
                seen.depth = Some(depth);
                seen.leaves.push(*id);
                let leaf = self.leaf(*id);
                leaf.check();
                seen.heap += Slab::<Leaf>::NODE_BYTES + leaf.heap_bytes();
                assert_eq!(leaf.len(), child.count);
                assert!(leaf.len() > 0 || depth == 0, "an empty leaf stays only as the root");
                for at in 0..leaf.len() {
                    assert!(low.is_none_or(|low| compare(low.key(), leaf.key(at)).is_le()));
                    assert!(high.is_none_or(|high| compare(leaf.key(at), high.key()).is_lt()));
                }
            }
            Node::Inner(inner) => {
                assert!(inner.children.len() <= CHILDREN_MAX && !inner.children.is_empty());
                assert!(inner.children.len() > 1 || depth > 0);
                assert_eq!(inner.children.capacity(), CHILDREN_MAX + 1);
                assert_eq!(inner.children.iter().map(|child| child.count).sum::<usize>(), child.count);
                seen.heap += INNER_BYTES;
                for (i, below) in inner.children.iter().enumerate() {
                    let low = if i == 0 { low } else { Some(&below.low) };
                    let high = inner.children.get(i + 1).map(|next| &next.low).or(high);
                    self.check_child(below, depth + 1, low, high, seen);
                }
            }
        }
    }
}

#[cfg(test)]
#[derive(Default)]
struct Seen {
    depth: Option<usize>,
    leaves: Vec<u32>,
    heap: usize,
}
