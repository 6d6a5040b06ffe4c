//! Who may do what.

use super::{FILE_ONLY, IMMUTABLE, LIVE, SENSITIVE, group};
use crate::config::choice::{Permit, PubsubDefault};
use crate::config::kind::Kind;
use crate::config::value::{RenamedCommand, Secret, UserLines, check_rename, check_user};
use std::path::PathBuf;

group! {
    /// Who may do what.
    access: Access {
        /// Password of the user `default`; empty = none.
        requirepass: Secret = "requirepass", Kind::Text, "", LIVE | SENSITIVE;
        /// What HTTP clients must show as their bearer token, besides `requirepass`; empty = none. Not in Redis.
        http_token: Secret = "http-token", Kind::Text, "", LIVE | SENSITIVE;
        /// The file of users, if one is used.
        aclfile: Option<PathBuf> = "aclfile", Kind::Text, "", IMMUTABLE;
        /// Entries of ACL LOG.
        acllog_max_len: u64 = "acllog-max-len", Kind::Int { min: 0, max: i64::MAX }, "128", LIVE;
        /// Channels of a new user.
        acl_pubsub_default: PubsubDefault = "acl-pubsub-default", Kind::OneOf(PubsubDefault::WORDS), "resetchannels", LIVE;
        /// Who may use DEBUG.
        enable_debug_command: Permit = "enable-debug-command", Kind::OneOf(Permit::WORDS), "no", IMMUTABLE;
        /// Who may CONFIG SET what names files.
        enable_protected_configs: Permit = "enable-protected-configs", Kind::OneOf(Permit::WORDS), "no", IMMUTABLE;
        /// Who may use MODULE.
        enable_module_command: Permit = "enable-module-command", Kind::OneOf(Permit::WORDS), "no", IMMUTABLE;
        /// Commands under another name, or off.
        rename_commands: Vec<RenamedCommand> = "rename-command", Kind::Words(check_rename), "", FILE_ONLY;
        /// Users that the configuration file defines.
        users: UserLines = "user", Kind::Words(check_user), "", FILE_ONLY | SENSITIVE;
    }
}
