//! A line that can be made bad: it passes bytes on between a port of its own and another, late, one by one, not at all, or
//! not any longer. It can keep what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::free_port;

/// How the line is.
#[derive(Default)]
struct Weather {
    delay_ms: AtomicU64,
    stalled: AtomicBool,
    refusing: AtomicBool,
    trickling: AtomicBool,
    keeping: AtomicBool,
    /// What was asked and what was answered, connection by connection, while it is kept.
    kept: Mutex<Vec<Kept>>,
    open: Mutex<Vec<TcpStream>>,
}

/// What passed one way on one connection.
#[derive(Clone)]
pub struct Kept {
    connection: u64,
    /// Whether it went to the far end.
    pub is_question: bool,
    pub bytes: Vec<u8>,
}

/// The line. It ends with the test's process; connections end with it.
pub struct Proxy {
    pub port: u16,
    weather: Arc<Weather>,
}

impl Proxy {
    /// A line to `to` on this machine.
    pub fn to(to: u16) -> Self {
        Self::over(to, |to| TcpStream::connect(("127.0.0.1", to)))
    }

    /// The same; whoever is at `to` sees it come from another address.
    pub fn from_elsewhere(to: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        Self::over(to, move |to| {
            let connecting = async {
                let socket = tokio::net::TcpSocket::new_v4()?;
                socket.bind(([127, 0, 0, 2], 0).into())?;
                socket.connect(([127, 0, 0, 1], to).into()).await?.into_std()
            };
            let stream = runtime.block_on(connecting)?;
            stream.set_nonblocking(false).map(|()| stream)
        })
    }

    fn over(to: u16, connect: impl Fn(u16) -> std::io::Result<TcpStream> + Send + 'static) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("binds");
        let weather = Arc::new(Weather::default());
        let shared = Arc::clone(&weather);
        std::thread::spawn(move || {
            for (connection, near) in (0..).zip(listener.incoming().map_while(Result::ok)) {
                if shared.refusing.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = connect(to) else { continue };
                for (from, to, is_question) in [(&near, &far, true), (&far, &near, false)] {
                    let (from, to) = (from.try_clone().expect("clones"), to.try_clone().expect("clones"));
                    shared.open.lock().expect("the list").push(from.try_clone().expect("clones"));
                    let weather = Arc::clone(&shared);
                    std::thread::spawn(move || pass(from, to, &weather, connection, is_question));
                }
            }
        });
        Self { port, weather }
    }

    /// Every byte takes so long, each way.
    pub fn delay(&self, one_way: Duration) {
        let millis = u64::try_from(one_way.as_millis()).expect("short");
        self.weather.delay_ms.store(millis, Ordering::SeqCst);
    }

    /// Nothing passes any more, and nobody is told: a cable that was pulled.
    pub fn stall(&self, stalled: bool) {
        self.weather.stalled.store(stalled, Ordering::SeqCst);
    }

    /// New connections are closed at once.
    pub fn refuse(&self, refusing: bool) {
        self.weather.refusing.store(refusing, Ordering::SeqCst);
    }

    /// A byte passes now and then, too slowly for anything to come to an end.
    pub fn trickle(&self, trickling: bool) {
        self.weather.trickling.store(trickling, Ordering::SeqCst);
    }

    /// What passes from now on is kept; what was kept before is forgotten.
    pub fn keep(&self) {
        self.weather.kept.lock().expect("the list").clear();
        self.weather.keeping.store(true, Ordering::SeqCst);
    }

    /// What was kept.
    pub fn kept(&self) -> Vec<Kept> {
        self.weather.kept.lock().expect("the list").clone()
    }

    /// Ends every connection.
    pub fn cut(&self) {
        for stream in self.weather.open.lock().expect("the list").drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A line that trickles lets a byte pass so often.
const TRICKLE: Duration = Duration::from_millis(200);

impl Weather {
    fn note(&self, connection: u64, is_question: bool, piece: &[u8]) {
        if !self.keeping.load(Ordering::SeqCst) {
            return;
        }
        let mut kept = self.kept.lock().expect("the list");
        match kept.iter_mut().find(|kept| (kept.connection, kept.is_question) == (connection, is_question)) {
            Some(kept) => kept.bytes.extend_from_slice(piece),
            None => kept.push(Kept { connection, is_question, bytes: piece.to_vec() }),
        }
    }

    /// Writes a piece, byte by byte while the line trickles.
    fn write(&self, to: &mut TcpStream, piece: &[u8]) -> std::io::Result<()> {
        let mut rest = piece;
        while self.trickling.load(Ordering::SeqCst)
            && let Some((first, others)) = rest.split_first()
        {
            to.write_all(&[*first])?;
            rest = others;
            std::thread::sleep(TRICKLE);
        }
        to.write_all(rest)
    }
}

/// Passes bytes on. A piece waits for its own time, so that a delay is no limit of what passes in a second.
fn pass(mut from: TcpStream, mut to: TcpStream, weather: &Weather, connection: u64, is_question: bool) {
    let (pieces, due) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                weather.note(connection, is_question, &chunk[..count]);
                let delay = Duration::from_millis(weather.delay_ms.load(Ordering::SeqCst));
                if pieces.send((Instant::now() + delay, chunk[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        for (when, piece) in due {
            std::thread::sleep(when.saturating_duration_since(Instant::now()));
            while weather.stalled.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if weather.write(&mut to, &piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
