//! Who is at the other end of a connection on this machine.
//!
//! Fluvio's clients dial TCP only, so the socket cannot be a file with a mode. But the system
//! knows whose each socket is: in `/proc/net/tcp` each end of a local connection has a row with
//! its user. To read it takes long where there are many sockets (measured: 60 to 90 ms at 8,000 to
//! 12,000 rows on a machine with much else to do), so that one reading serves all connections that
//! wait for it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use rustix::process::geteuid;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// IPv4, and IPv6 with IPv4 in it.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// The only state in which a socket surely has its owner: one that is closing shows root's number.
const ESTABLISHED: &str = "01";
/// Of a socket that no process holds any more.
const NO_INODE: &str = "0";

/// Who may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Peers {
    /// Processes on this machine of the user that runs the broker, and root's.
    #[default]
    SameUser,
    /// Who can reach the address, from other machines, too.
    Anyone,
}

/// Lets in clients that may connect.
#[derive(Debug)]
pub(crate) struct Guard {
    peers: Peers,
    /// Held while it is read: a connection that waited uses what was read.
    table: Mutex<Option<Table>>,
}

impl Guard {
    pub(crate) fn new(peers: Peers) -> Self {
        let table = Mutex::new(None);
        Self { peers, table }
    }

    /// Whether a client that connected at `since` may stay.
    ///
    /// # Errors
    /// If the client is another user's, or is not known to be ours.
    pub(crate) async fn check(&self, ends: Ends, since: Instant) -> io::Result<()> {
        if self.peers == Peers::Anyone {
            return Ok(());
        }
        let ours = geteuid().as_raw();
        let user = match self.owner(ends, since).await? {
            Some(user) if user == ours || user == 0 => return Ok(()),
            Some(user) => format!("user {user}"),
            None => "a process that is gone or on another machine".to_owned(),
        };
        let message =
            format!("{user} is refused: only processes of user {ours} and of root may connect");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }

    /// The user of the process that holds the client's end; `None` if no process here does.
    async fn owner(&self, ends: Ends, since: Instant) -> io::Result<Option<u32>> {
        let mut table = self.table.lock().await;
        let table = match &mut *table {
            Some(table) if table.since >= since => table,
            older => {
                let reading = spawn_blocking(Table::read);
                older.insert(reading.await.map_err(io::Error::other)??)
            }
        };
        let Ends { client, broker } = ends;
        let key = (canonical(client), canonical(broker));
        Ok(table.users.get(&key).copied())
    }
}

/// The addresses of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) broker: SocketAddr,
}

/// Whose the sockets were, by their own and their peer's address.
#[derive(Debug)]
struct Table {
    /// Before it was read.
    since: Instant,
    users: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl Table {
    fn read() -> io::Result<Self> {
        let since = Instant::now();
        let mut users = HashMap::new();
        for path in TABLES {
            match fs::read_to_string(path) {
                Ok(rows) => users.extend(rows.lines().skip(1).filter_map(user_of)),
                // A machine without IPv6 has no table of it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && path != TABLES[0] => {}
                Err(error) => {
                    let message =
                        format!("could not read \"{path}\" to tell a client's user: {error}");
                    return Err(io::Error::new(error.kind(), message));
                }
            }
        }
        Ok(Self { since, users })
    }
}

/// A row's own and peer's address and its user, if it is of a process.
fn user_of(row: &str) -> Option<((SocketAddr, SocketAddr), u32)> {
    let mut columns = row.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (columns.next()?, columns.next()?, columns.next()?);
    if state != ESTABLISHED {
        return None;
    }
    // Behind queues, timers and retransmissions; the next but one is the inode.
    let user = columns.nth(3)?.parse().ok()?;
    if columns.nth(1)? == NO_INODE {
        return None;
    }
    Some(((parse(local)?, parse(remote)?), user))
}

/// Reads `0100007F:1F90`: groups of four bytes, each a number of this machine's byte order.
fn parse(address: &str) -> Option<SocketAddr> {
    let (ip, port) = address.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for group in ip.as_bytes().chunks(8) {
        let group = std::str::from_utf8(group).ok()?;
        bytes.extend(u32::from_str_radix(group, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => IpAddr::from(Ipv4Addr::from(v4)),
        Err(_) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(row: &str) -> Option<u32> {
        let wanted = (
            "127.0.0.1:36510".parse().unwrap(),
            "127.0.0.1:9003".parse().unwrap(),
        );
        let (ends, user) = user_of(row)?;
        (ends == wanted).then_some(user)
    }

    #[test]
    fn a_socket_is_found_by_both_addresses_and_shows_its_user() {
        let rest =
            "00000000:00000000 02:00000A 00000000  1000        0 123456 1 0000 20 4 30 10 -1";
        let v4 = format!("  5: 0100007F:8E9E 0100007F:232B 01 {rest}");
        assert_eq!(user(&v4), Some(1000));
        let mapped = format!(
            "  5: 0000000000000000FFFF00000100007F:8E9E 0000000000000000FFFF00000100007F:232B 01 {rest}"
        );
        assert_eq!(user(&mapped), Some(1000));
        let our_end = format!("  6: 0100007F:232B 0100007F:8E9E 01 {rest}");
        assert_eq!(user(&our_end), None);
        let other_port = format!("  7: 0100007F:8E9F 0100007F:232B 01 {rest}");
        assert_eq!(user(&other_port), None);
    }

    #[test]
    fn a_socket_that_nobody_holds_is_not_taken_for_roots() {
        let closing = "00000000:00000000 03:00001700 00000000     0        0 0 3 0000";
        for state in ["04", "05", "06", "01"] {
            let row = format!("  5: 0100007F:8E9E 0100007F:232B {state} {closing}");
            assert_eq!(user(&row), None, "{state}");
        }
    }
}
