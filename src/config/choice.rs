//! Settings that are one of a few words.

use super::value::Setting;

/// An enum whose variants are words; the words are in the order in which Redis lists them.
macro_rules! choices {
    ($(#[$meta:meta])* $name:ident {
        $(#[$first_meta:meta])* $first:ident = $first_text:literal,
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $(#[$first_meta])* #[default] $first,
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            pub(super) const WORDS: &'static [&'static str] = &[$first_text, $($text,)*];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl Setting for $name {
            fn show(&self) -> String {
                self.as_str().to_owned()
            }
            fn read(text: &str) -> Option<Self> {
                match text {
                    $first_text => Some(Self::$first),
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

choices! {
    /// When an acknowledged write is on the disk.
    AppendFsync {
        /// Within about a second.
        Everysec = "everysec",
        /// Before its reply.
        Always = "always",
        /// When the operating system likes.
        No = "no",
    }
}

choices! {
    /// Which keys to remove when `maxmemory` is reached.
    MaxmemoryPolicy {
        /// Least recently used among those that expire.
        VolatileLru = "volatile-lru",
        /// Least often used among those that expire.
        VolatileLfu = "volatile-lfu",
        /// Any that expires.
        VolatileRandom = "volatile-random",
        /// The one that expires first.
        VolatileTtl = "volatile-ttl",
        /// Least recently used.
        AllkeysLru = "allkeys-lru",
        /// Least often used.
        AllkeysLfu = "allkeys-lfu",
        /// Any.
        AllkeysRandom = "allkeys-random",
        /// None: commands that need memory are refused.
        Noeviction = "noeviction",
    }
}

choices! {
    /// How much the server writes to its log.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// What helps to understand a single client.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice",
        /// Only what needs attention.
        Warning = "warning",
    }
}

choices! {
    /// The shape of a line in the server's log.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choices! {
    /// Who may use something dangerous.
    Permit {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Connections from this machine.
        Local = "local",
    }
}

choices! {
    /// How thoroughly RESTORE and a snapshot's values are checked.
    SanitizePayload {
        /// Lengths only.
        No = "no",
        /// Fully.
        Yes = "yes",
        /// Fully when a client sends them.
        Clients = "clients",
    }
}

choices! {
    /// Which channels a new user may use.
    PubsubDefault {
        /// All.
        Allchannels = "allchannels",
        /// None.
        Resetchannels = "resetchannels",
    }
}
