//! A panic in the browser would be silent; its message belongs on the console.

/// Sends panics to the console.
pub(crate) fn report_to_console() {
    std::panic::set_hook(Box::new(|panic| leptos::logging::error!("{panic}")));
}
