//! A mistake of ours ends the process.
//!
//! What panics may leave a value half changed, a stripe unlocked that should not be, or a task gone that others rely on. To go
//! on could answer, or log, what never was. So the process ends at once, like one that was killed: what was acknowledged
//! is in the log, and the next start reads it. No client and no file can bring this about; if one does, these lines say
//! where to look.

use std::backtrace::Backtrace;

/// Has a panic of any thread tell the log what and where, and end the process.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let what = info.payload_as_str().unwrap_or_default();
        tracing::error!(
            what,
            place,
            thread,
            "a mistake in Pinstripe itself: it ends at once, so that nothing half done is answered or logged. What the \
             log holds is safe: start it again, and please report these lines"
        );
        for line in Backtrace::force_capture().to_string().lines() {
            tracing::error!("{line}");
        }
        std::process::abort();
    }));
}
