//! The key of this node: Ed25519 (RFC 8032), in a file only its owner can read, and its change without a gap.
//!
//! While a key is changed there are two, and everything is signed with both, so that whoever knows either believes it.
//! After [`KEYS_OVERLAP`] the new one is alone.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use jiff::Timestamp;

use crate::config::read_private_file;
use crate::model::{ChainHash, Head, KEYS_OVERLAP, NodeKey, Origin};

/// The key that counts, below the directory of secrets.
const KEY: &str = "node.key";
/// The one that takes its place, while it is changed.
const NEXT: &str = "node.next.key";

/// The public keys that counted once, a line each: what others hold of this node's log may be signed with one of them.
const FORMER: &str = "node.former";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum NodeKeyError {
    /// A file cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// Which.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be read, or others can.
    #[error("failed to read the key of this node: {0}")]
    Read(String),
    /// A file holds something else. Nothing of it is repeated.
    #[error(
        "{0} is no key of a node; move it away and start again: a new key is made, and the other nodes have to be \
         joined again"
    )]
    Broken(String),
    /// It is being changed already.
    #[error("the key is being changed already; the one before counts until {0}")]
    Changing(Timestamp),
}

/// The keys of this node. Nothing of them is ever shown but the public ones.
pub struct NodeKeys {
    dir: PathBuf,
    ring: RwLock<Ring>,
}

struct Ring {
    current: SigningKey,
    /// The new key, and when the change began.
    next: Option<(SigningKey, Timestamp)>,
    /// The public keys that counted before.
    former: Vec<NodeKey>,
}

impl Ring {
    fn keys(&self) -> Vec<NodeKey> {
        self.next.iter().map(|(key, _)| public(key)).chain([public(&self.current)]).collect()
    }
}

impl NodeKeys {
    /// Reads the keys below `dir`, and makes one where there is none. A change that is over is finished.
    ///
    /// # Errors
    /// When a file cannot be read or written, can be read by others, or holds no key.
    pub fn open(dir: &Path, now: Timestamp) -> Result<Self, NodeKeyError> {
        let path = dir.join(KEY);
        if !path.exists() {
            write(&path, &fresh(), None)?;
        }
        let (current, _) = read(&path)?;
        let next = dir.join(NEXT);
        let next = if next.exists() {
            let (key, began) = read(&next)?;
            Some((key, began.ok_or_else(|| NodeKeyError::Broken(next.display().to_string()))?))
        } else {
            None
        };
        let keys = Self { dir: dir.to_owned(), ring: RwLock::new(Ring { current, next, former: former(dir)? }) };
        keys.settle(now)?;
        Ok(keys)
    }

    /// The public keys, the one that stays first: what others are told.
    #[must_use]
    pub fn public(&self) -> Vec<NodeKey> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).keys()
    }

    /// Whether `key` is one of this node's, or was.
    #[must_use]
    pub fn is_own(&self, key: &NodeKey) -> bool {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.keys().contains(key) || ring.former.contains(key)
    }

    /// The key that stays: what others pin.
    #[must_use]
    pub fn key(&self) -> NodeKey {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.next.as_ref().map_or_else(|| public(&ring.current), |(key, _)| public(key))
    }

    /// Until when the key before counts, while it is changed.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.next.as_ref().map(|(_, began)| end(*began))
    }

    /// Makes another key, and answers it with the end of the one before. It is durable when this returns.
    ///
    /// # Errors
    /// When the key is being changed already, or the file cannot be written.
    pub fn rotate(&self, now: Timestamp) -> Result<(NodeKey, Timestamp), NodeKeyError> {
        self.settle(now)?;
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, began)) = &ring.next {
            return Err(NodeKeyError::Changing(end(*began)));
        }
        let next = fresh();
        write(&self.dir.join(NEXT), &next, Some(now))?;
        let key = public(&next);
        ring.next = Some((next, now));
        Ok((key, end(now)))
    }

    /// Finishes a change that is over by `now`; answers whether there was one.
    ///
    /// # Errors
    /// When the file cannot be moved. Both keys stay, and it may be tried again.
    pub fn settle(&self, now: Timestamp) -> Result<bool, NodeKeyError> {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let Some((next, began)) = ring.next.take_if(|(_, began)| now > end(*began)) else { return Ok(false) };
        let (path, before) = (self.dir.join(KEY), public(&ring.current));
        let finish = || {
            add_former(&self.dir, &before)?;
            std::fs::rename(self.dir.join(NEXT), &path)?;
            synced(&self.dir)
        };
        if let Err(source) = finish() {
            ring.next = Some((next, began));
            return Err(NodeKeyError::Write { path: path.display().to_string(), source });
        }
        ring.current = next;
        ring.former.push(before);
        Ok(true)
    }

    /// Signs `message` with every key, the one that stays first.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<[u8; 64]> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let keys = ring.next.iter().map(|(key, _)| key).chain([&ring.current]);
        keys.map(|key| key.sign(message).to_bytes()).collect()
    }

    /// Signs the head of this node's log. While the key is changed it is the one before that does: it is the one that
    /// everybody knows.
    #[must_use]
    pub fn head(&self, origin: Origin, seq: u64, hash: ChainHash) -> Head {
        let message = Head::signed(&origin, seq, &hash);
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let signature = ring.current.sign(&message).to_bytes().to_vec();
        Head { origin, seq, hash, key: public(&ring.current), signature }
    }
}

impl std::fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeKeys").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// The key in the token of an invitation: who has it may join once.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InvitationKey(SigningKey);

impl InvitationKey {
    /// Another one.
    #[must_use]
    pub fn fresh() -> Self {
        Self(fresh())
    }

    /// Its public half, by which the invitation is known.
    #[must_use]
    pub fn public(&self) -> NodeKey {
        public(&self.0)
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

impl From<InvitationKey> for String {
    fn from(key: InvitationKey) -> Self {
        STANDARD.encode(key.0.as_bytes())
    }
}

impl TryFrom<String> for InvitationKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let seed = STANDARD.decode(text).ok().and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        seed.map(|seed| Self(SigningKey::from_bytes(&seed))).ok_or("it holds no key")
    }
}

impl std::fmt::Debug for InvitationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InvitationKey")
    }
}

/// Whether `signature` is that of `key` over `message`. Weak keys and signatures with a second form are refused
/// (`verify_strict`).
#[must_use]
pub fn is_signed(key: &NodeKey, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    VerifyingKey::from_bytes(key.as_bytes()).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

/// Whether the key that a head names has signed it. Whether that key is its node's is for the caller to know.
#[must_use]
pub fn is_signed_head(head: &Head) -> bool {
    is_signed(&head.key, &Head::signed(&head.origin, head.seq, &head.hash), &head.signature)
}

fn public(key: &SigningKey) -> NodeKey {
    NodeKey::from_bytes(key.verifying_key().to_bytes())
}

fn fresh() -> SigningKey {
    SigningKey::from_bytes(&rand::random())
}

fn end(began: Timestamp) -> Timestamp {
    began.checked_add(KEYS_OVERLAP).unwrap_or(Timestamp::MAX)
}

/// Reads a key: its 32 bytes as base64, and on a second line when its change began.
fn read(path: &Path) -> Result<(SigningKey, Option<Timestamp>), NodeKeyError> {
    let text = read_private_file(path).map_err(NodeKeyError::Read)?;
    let mut lines = text.lines();
    let seed = lines.next().and_then(|line| STANDARD.decode(line.trim()).ok()).and_then(|seed| seed.try_into().ok());
    let broken = || NodeKeyError::Broken(path.display().to_string());
    let began = lines.next().map(|line| line.trim().parse()).transpose().map_err(|_| broken())?;
    Ok((SigningKey::from_bytes(&seed.ok_or_else(broken)?), began))
}

/// The public keys that counted before. A line that is none, as after a crash, is left out.
fn former(dir: &Path) -> Result<Vec<NodeKey>, NodeKeyError> {
    let path = dir.join(FORMER);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(NodeKeyError::Read(format!("{}: {error}", path.display()))),
    }
}

fn add_former(dir: &Path, key: &NodeKey) -> std::io::Result<()> {
    let mut file = File::options().append(true).create(true).mode(0o600).open(dir.join(FORMER))?;
    writeln!(file, "{key}")?;
    file.sync_all()
}

/// Writes a key where none is yet, and makes it durable: half a key would stay for good.
fn write(path: &Path, key: &SigningKey, began: Option<Timestamp>) -> Result<(), NodeKeyError> {
    let beside = path.with_extension(format!("{:08x}", rand::random::<u32>()));
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
        writeln!(file, "{}", STANDARD.encode(key.as_bytes()))?;
        if let Some(began) = began {
            writeln!(file, "{began}")?;
        }
        file.sync_all()?;
        std::fs::hard_link(&beside, path)?;
        path.parent().map_or(Ok(()), synced)
    };
    let written = write();
    // What cannot be removed is a file nobody reads.
    let _ = std::fs::remove_file(&beside);
    written.map_err(|source| NodeKeyError::Write { path: path.display().to_string(), source })
}

fn synced(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).expect("in range")
    }

    #[test]
    fn a_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let key = NodeKeys::open(dir.path(), at(0)).expect("it is made").key();
        assert_eq!(NodeKeys::open(dir.path(), at(0)).expect("it is read").key(), key);
        let path = dir.path().join(KEY);
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        let error = NodeKeys::open(dir.path(), at(0)).expect_err("others can read it").to_string();
        assert!(error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        std::fs::write(&path, "hunter2").expect("writes");
        let error = NodeKeys::open(dir.path(), at(0)).expect_err("no key").to_string();
        assert!(error.contains("node.key is no key of a node") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_change_lasts_a_day_and_a_restart_goes_on_with_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = NodeKeys::open(dir.path(), at(0)).expect("it is made");
        let old = keys.key();
        let (new, until) = keys.rotate(at(1)).expect("it is changed");
        assert_eq!((keys.public(), keys.key(), until), (vec![new, old], new, at(25)));
        assert!(matches!(keys.rotate(at(2)), Err(NodeKeyError::Changing(end)) if end == at(25)));
        assert_eq!(keys.head(origin(), 1, ChainHash::BEGINNING).key, old, "everybody knows the one before");

        let again = NodeKeys::open(dir.path(), at(24)).expect("it is read");
        assert_eq!((again.public(), again.until()), (vec![new, old], Some(at(25))));
        assert!(!again.settle(at(25)).expect("nothing to do"));
        assert!(again.settle(at(26)).expect("it is over"));
        assert_eq!((again.public(), again.until()), (vec![new], None));
        let later = NodeKeys::open(dir.path(), at(26)).expect("it is read");
        assert_eq!(later.public(), [new]);
        assert!(
            [&again, &later].iter().all(|keys| keys.is_own(&old) && keys.is_own(&new)),
            "what it once signed is its own"
        );
        assert!(!later.is_own(&NodeKey::from_bytes([7; 32])));
        // One that was over while nothing ran is finished by the start.
        again.rotate(at(30)).expect("it is changed");
        assert_eq!(NodeKeys::open(dir.path(), at(60)).expect("it is read").public().len(), 1);
    }

    fn origin() -> Origin {
        Origin { node: "hub-1".parse().expect("a name"), epoch: crate::model::EpochId::from_uuid(uuid::Uuid::nil()) }
    }

    #[test]
    fn a_head_is_its_node_s_or_it_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = NodeKeys::open(dir.path(), at(0)).expect("it is made");
        let head = keys.head(origin(), 7, ChainHash::from_bytes([1; 32]));
        assert!(is_signed_head(&head));
        assert!(!is_signed_head(&Head { seq: 8, ..head.clone() }));
        assert!(!is_signed_head(&Head { hash: ChainHash::BEGINNING, ..head.clone() }));
        assert!(!is_signed_head(&Head { key: NodeKey::from_bytes([3; 32]), ..head.clone() }));
        assert!(!is_signed_head(&Head { signature: Vec::new(), ..head.clone() }));
        let other = Origin { node: "hub-2".parse().expect("a name"), ..origin() };
        assert!(!is_signed_head(&Head { origin: other, ..head }));
        // A point of small order would fit any message.
        assert!(!is_signed(&NodeKey::from_bytes([0; 32]), b"anything", &[0; 64]));
    }

    #[test]
    fn secrets_are_not_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = NodeKeys::open(dir.path(), at(0)).expect("it is made");
        let seed = std::fs::read_to_string(dir.path().join(KEY)).expect("reads");
        assert!(!format!("{keys:?}").contains(seed.trim()));
    }
}
