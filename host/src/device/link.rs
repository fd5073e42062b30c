//! What carries the bytes to a board and back.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context;
use serial2::SerialPort;

/// A link of bytes whose reads end after a while.
pub trait Link: Read + Write + Send {
    /// Lets a read that finds nothing fail after `timeout`.
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()>;
}

impl Link for TcpStream {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))
    }
}

#[cfg(unix)]
impl Link for UnixStream {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))
    }
}

impl Link for SerialPort {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }
}

/// The serial port `name` at `baud` bits a second.
pub fn open_serial(name: &str, baud: u32) -> anyhow::Result<Box<dyn Link>> {
    let port = SerialPort::open(name, baud)
        .with_context(|| format!("cannot open the serial port {name}: check --port, and that you may use it"))?;
    Ok(Box::new(port))
}

/// A board that listens at `address`.
pub fn open_tcp(address: &str) -> anyhow::Result<Box<dyn Link>> {
    let help =
        || format!("cannot reach a board at {address}: check --tcp, and that `doppel serve` or `cargo device` runs");
    let mut last = None;
    for socket in address.to_socket_addrs().with_context(help)? {
        match TcpStream::connect_timeout(&socket, Duration::from_secs(5)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Box::new(stream));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("it has no address"), anyhow::Error::from)).with_context(help)
}
