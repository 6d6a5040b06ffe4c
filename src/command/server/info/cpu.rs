//! INFO cpu: seconds that the process has computed. It never forks, so it has no children.

use std::time::Duration;

use super::Page;
use crate::exec::Context;
use crate::observe::process;

pub(super) fn write(_: &Context, page: &mut Page) {
    let (all, main) = (process::cpu_time(), process::main_thread_cpu_time());
    for (name, time) in [
        ("used_cpu_sys", all.system),
        ("used_cpu_user", all.user),
        ("used_cpu_sys_children", Duration::ZERO),
        ("used_cpu_user_children", Duration::ZERO),
        ("used_cpu_sys_main_thread", main.system),
        ("used_cpu_user_main_thread", main.user),
    ] {
        page.field(name, format_args!("{:.6}", time.as_secs_f64()));
    }
}
