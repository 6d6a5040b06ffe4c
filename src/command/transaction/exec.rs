//! EXEC — runs what was queued since MULTI, as one unit: see [`crate::exec::multi`].

use crate::exec::{Group, Run, Spec, acl, flag};

pub(super) const SPECS: &[Spec] = &[Spec {
    name: "exec",
    arity: 1,
    flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::SKIP_SLOWLOG,
    acl: acl::TRANSACTION,
    since: "1.2.0",
    group: Group::Transactions,
    summary: "Runs the commands of a transaction.",
    complexity: "Depends on commands in the transaction",
    run: Run::Exec,
    ..Spec::DEFAULT
}];
