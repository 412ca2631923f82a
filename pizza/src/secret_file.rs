//! Files with secrets in them, that a person has named or that this program keeps.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use trusted_files::{Given, open_given, open_own};
use zeroize::Zeroizing;

/// Reads the text of a file with a secret, which no other user may have put
/// there. No error repeats anything of it.
///
/// # Errors
/// When it is longer than `most` bytes, is no text, is another user's, or
/// cannot be read.
pub(crate) fn read(path: &Path, most: usize) -> io::Result<Zeroizing<String>> {
    let Given {
        file,
        read_by_others,
    } = open_given(path)?;
    if let Some(mode) = read_by_others {
        // Secrets that an orchestrator mounts often are: no reason to refuse.
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:o}"),
            "others can read this file with secrets; 600 keeps them out"
        );
    }
    text_of(file, most)
}

/// Reads the text of a file with a secret that this program made. No link is
/// followed: nobody names this file, so nobody has named a link to it.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_own(path: &Path, most: usize) -> io::Result<Zeroizing<String>> {
    text_of(open_own(path, File::options().read(true))?, most)
}

/// Reads the text of an open file, of at most `most` bytes.
pub(crate) fn text_of(file: File, most: usize) -> io::Result<Zeroizing<String>> {
    // Room for all of it: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(most + 1));
    file.take(most as u64 + 1).read_to_string(&mut text)?;
    if text.len() > most {
        let reason = format!("it is longer than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_read_whole_or_refused_without_being_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        for mode in [0o600, 0o444] {
            let _ = fs::remove_file(&path);
            fs::write(&path, "secret").expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("allowed");
            assert_eq!(*read(&path, 6).expect("read"), "secret");
        }
        let long = read(&path, 5).expect_err("too long").to_string();
        assert!(long.contains("5 bytes") && !long.contains("secr"), "{long}");
        let _ = fs::remove_file(&path);
        fs::write(&path, [0xff, 0xfe]).expect("written");
        assert!(read(&path, 6).is_err());
        assert!(read(folder.path(), 6).is_err());
    }
}
