//! TLS in front of a server that speaks SMTP in clear.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A door that leads to a port of this machine, over TLS from the start or after STARTTLS.
pub struct TlsDoor {
    pub port: u16,
    task: JoinHandle<()>,
}

impl TlsDoor {
    /// With the certificate in `folder`, as [`make_certificate`](super::make_certificate) leaves it.
    pub async fn to(port: u16, folder: &Path, after_starttls: bool) -> Self {
        let chain = vec![CertificateDer::from_pem_file(folder.join("fullchain.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("privkey.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, port, acceptor.clone(), after_starttls));
            }
        });
        Self { port: door, task }
    }
}

impl Drop for TlsDoor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    client: TcpStream,
    port: u16,
    acceptor: TlsAcceptor,
    after_starttls: bool,
) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    if after_starttls {
        // Its greeting has been heard by then.
        server.read_line(&mut String::new()).await?;
        client.write_all(b"220 door.test ESMTP\r\n").await?;
        for reply in ["250-door.test\r\n250 STARTTLS\r\n", "220 go\r\n"] {
            let mut command = String::new();
            client.read_line(&mut command).await?;
            assert!(["EHLO", "STARTTLS"].iter().any(|verb| command.starts_with(verb)), "in clear: {command}");
            client.write_all(reply.as_bytes()).await?;
        }
    }
    let mut client = acceptor.accept(client.into_inner()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
