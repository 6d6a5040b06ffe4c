//! BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count] — what LMPOP does, and waits if there is nothing.

use super::End;
use crate::command::mpop;
use crate::exec::{Group, Run, Spec, acl};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "blmpop",
    acl: acl::LIST,
    group: Group::List,
    summary: "Takes elements from the first of several lists that has any, waiting for one if need be.",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    syntax: "timeout:double numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    run: Run::Keys(mpop::pop_or_wait::<End>),
    ..mpop::POPS_OR_WAITS
}];
