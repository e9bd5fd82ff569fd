//! A certificate that nobody vouches for.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes `fullchain.pem` and `privkey.pem` for `localhost` into a folder, which is made.
pub fn make_certificate(openssl: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let made = Command::new(openssl)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        // Or it would be one that vouches for others, and for no server.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("privkey.pem"))
        .arg("-out")
        .arg(folder.join("fullchain.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
