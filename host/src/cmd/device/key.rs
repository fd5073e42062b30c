//! The file of a board's admin key.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, bail};
use rand::TryRngCore;
use rand::rngs::OsRng;
use shared::wire::KEY_LEN;

/// The key in the file at `path`.
pub(super) fn read(path: &Path) -> anyhow::Result<[u8; KEY_LEN]> {
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read the admin key {}: name it with --key, or make one with `doppel device provision`",
            path.display()
        )
    })?;
    parse(text.trim()).with_context(|| {
        format!("{} holds no key of {} hexadecimal digits: name another with --key", path.display(), 2 * KEY_LEN)
    })
}

/// A new key, in a new file at `path`. Boards count their challenges from zero, so no two of them may have one key.
pub(super) fn make(path: &Path) -> anyhow::Result<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    if let Err(error) = OsRng.try_fill_bytes(&mut key) {
        bail!("this machine gives no random bytes for a key: {error}");
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let written = options.open(path).and_then(|mut file| {
        writeln!(file, "{text}")?;
        file.sync_all()
    });
    if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
        bail!("{} holds a key already, and every board has its own: name another file with --key", path.display());
    }
    written.with_context(|| format!("cannot write the admin key {}: name another file with --key", path.display()))?;
    Ok(key)
}

fn parse(digits: &str) -> Option<[u8; KEY_LEN]> {
    let digits: Vec<u8> = digits.chars().map(|c| c.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 2 * KEY_LEN).then(|| bytes.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = make(&path).unwrap();
        assert_ne!(key, [0; KEY_LEN]);
        assert_eq!(read(&path).unwrap(), key);
        let refused = make(&path).unwrap_err().to_string();
        assert!(refused.contains("holds a key already") && refused.contains("--key"), "{refused}");
        assert_eq!(read(&path).unwrap(), key);
        assert_ne!(make(&dir.path().join("another")).unwrap(), key);
        fs::write(&path, "abc").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("--key"));
    }
}
