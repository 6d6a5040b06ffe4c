//! BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count] — what ZMPOP does, and waits if there is nothing.

use super::zpop::End;
use crate::command::mpop;
use crate::exec::{Group, Run, Spec, acl};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "bzmpop",
    acl: acl::SORTEDSET,
    group: Group::SortedSet,
    summary: "Removes members from the first of several sorted sets that is not empty, waiting for one if need be.",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
                 sorted set, and M being the number of elements popped.",
    syntax: "timeout:double numkeys key [key ...] <MIN | MAX> [COUNT count]",
    run: Run::Keys(mpop::pop_or_wait::<End>),
    ..mpop::POPS_OR_WAITS
}];
