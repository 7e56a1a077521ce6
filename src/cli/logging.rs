//! aurora's own log: a file a day in the state directory, and the newest lines on the screen.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::engine::LogSink;
use crate::model::{LogLevel, LogLine};
use crate::tui;

use super::exit::Failure;

/// Log files kept.
const FILES: usize = 30;

/// Starts logging. `to_stderr` is for an engine without a screen. The guard writes what is left as it is dropped.
pub(super) fn start(state_dir: &Path, verbose: u8, to_stderr: bool, sink: LogSink) -> Result<WorkerGuard, Failure> {
    let dir = state_dir.join("logs");
    tui::logs_in(&dir);
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("aurora")
        .filename_suffix("log")
        .max_log_files(FILES)
        .build(&dir)
        .map_err(|error| {
            Failure::new(super::exit::Exit::Failed, format!("failed to log to {}: {error}", dir.display()))
        })?;
    let (file, guard) = tracing_appender::non_blocking(file);
    let own = own(verbose);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(file).with_filter(own.clone()))
        .with(
            to_stderr.then(|| {
                tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr).with_filter(own)
            }),
        )
        .with(ToScreen(sink).with_filter(LevelFilter::INFO))
        .init();
    Ok(guard)
}

/// Logs to standard error alone, for what runs under a service manager that keeps it.
pub(super) fn to_stderr(verbose: u8) {
    let writer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(writer.with_filter(own(verbose))).init();
}

/// What of this program is logged. The TLS library warns of whatever a peer sends, so a scanner could fill the log;
/// what matters comes as an error to who called it.
fn own(verbose: u8) -> Targets {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    Targets::new().with_target("aurora", level).with_target("rustls", LevelFilter::OFF).with_default(LevelFilter::WARN)
}

/// Brings lines to the engine, which shows them under Activity.
struct ToScreen(LogSink);

impl<S: Subscriber> Layer<S> for ToScreen {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        if !meta.target().starts_with("aurora") {
            return;
        }
        let level = match *meta.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            _ => LogLevel::Info,
        };
        let mut text = Text::default();
        event.record(&mut text);
        self.0.put(LogLine { n: 0, at: Timestamp::now(), level, target: meta.target().to_owned(), text: text.0 });
    }
}

/// The message of an event, then its fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let result = if field.name() == "message" {
            let fields = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{fields}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
        debug_assert!(result.is_ok(), "writing to a String cannot fail");
    }
}
