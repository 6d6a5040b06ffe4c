//! INFO server: which program this is, where it runs and since when.

use super::Page;
use crate::exec::Context;
use crate::observe::process;

/// Bits of the clock that Redis shows as `lru_clock`: seconds, modulo 2^24.
const LRU_CLOCK_MASK: i64 = (1 << 24) - 1;

pub(super) fn write(ctx: &Context, page: &mut Page) {
    let identity = &ctx.identity;
    let now = ctx.clock.unix_us();
    let uptime = (now / 1000 - identity.started_at).max(0) / 1000;
    let hz = ctx.settings.load().process.hz;
    page.field("redis_version", crate::base::version::REDIS_VERSION);
    page.field("pinstripe_version", crate::base::version::VERSION);
    page.field("redis_git_sha1", "00000000");
    page.field("redis_git_dirty", 0);
    page.field("redis_build_id", 0);
    page.field("redis_mode", "standalone");
    let system = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        other => other,
    };
    page.field("os", format_args!("{system} {} {}", process::kernel_release(), std::env::consts::ARCH));
    page.field("arch_bits", usize::BITS);
    page.field("monotonic_clock", "POSIX clock_gettime");
    page.field("multiplexing_api", if cfg!(target_os = "linux") { "epoll" } else { "kqueue" });
    page.field("atomicvar_api", "rust-core");
    page.field("gcc_version", "0.0.0");
    page.field("process_id", std::process::id());
    page.field("process_supervised", "no");
    page.field("run_id", &identity.run_id);
    page.field("tcp_port", ctx.settings.load().network.port);
    page.field("server_time_usec", now);
    page.field("uptime_in_seconds", uptime);
    page.field("uptime_in_days", uptime / 86_400);
    page.field("hz", hz);
    page.field("configured_hz", hz);
    page.field("lru_clock", (now / 1_000_000) & LRU_CLOCK_MASK);
    page.field("executable", &identity.executable);
    page.field("config_file", &identity.config_file);
    page.field("io_threads_active", u8::from(identity.workers > 1));
}
