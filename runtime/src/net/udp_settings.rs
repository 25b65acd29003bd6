//! The settings of a UDP socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::net::UdpSocket;

impl UdpSocket {
    /// Whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.io().broadcast()
    }

    /// Sets whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.socket.io().set_broadcast(on)
    }

    /// The time-to-live of datagrams sent to one receiver (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().ttl()
    }

    /// Sets the time-to-live of datagrams sent to one receiver (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().set_ttl(ttl)
    }

    /// Whether what is sent to an IPv4 group comes back to this machine too (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.socket.io().multicast_loop_v4()
    }

    /// Sets whether what is sent to an IPv4 group comes back to this machine too (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.socket.io().set_multicast_loop_v4(on)
    }

    /// The time-to-live of datagrams sent to an IPv4 group, 1 unless set: the local network
    /// (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.socket.io().multicast_ttl_v4()
    }

    /// Sets the time-to-live of datagrams sent to an IPv4 group, 1 unless set: the local network
    /// (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().set_multicast_ttl_v4(ttl)
    }

    /// Whether what is sent to an IPv6 group comes back to this machine too (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.socket.io().multicast_loop_v6()
    }

    /// Sets whether what is sent to an IPv6 group comes back to this machine too (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.socket.io().set_multicast_loop_v6(on)
    }

    /// Joins a multicast group on an interface: the address of a local one, or `0.0.0.0` for the system's choice.
    ///
    /// # Errors
    ///
    /// If `group` is no group, or there is no such interface.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket.io().join_multicast_v4(&group, &interface)
    }

    /// Leaves a multicast group on an interface: the address of a local one, or `0.0.0.0` for the system's choice.
    ///
    /// # Errors
    ///
    /// If the socket is not in the group on that interface.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket.io().leave_multicast_v4(&group, &interface)
    }

    /// Joins a multicast group on an interface: its index, or 0 for the system's choice.
    ///
    /// # Errors
    ///
    /// If `group` is no group, or there is no such interface.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.io().join_multicast_v6(&group, interface)
    }

    /// Leaves a multicast group on an interface: its index, or 0 for the system's choice.
    ///
    /// # Errors
    ///
    /// If the socket is not in the group on that interface.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.io().leave_multicast_v6(&group, interface)
    }
}
