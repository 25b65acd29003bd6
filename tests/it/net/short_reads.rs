//! Reads that the kernel cuts short although more is there: behind urgent data, and behind a passed
//! descriptor. A reader that takes them for the last waits for ever.

use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use oneloop::net::UnixStream;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::kit::sockets::{half, on_a_loop, settle, soon, turns};

#[test]
fn bytes_behind_urgent_data_are_read() {
    on_a_loop(async {
        let (here, mut there) = half();
        for _ in 0..10 {
            settle(&here).await;
            // While the loop does not look, all of it arrives, and is one event.
            there.write_all(b"before").unwrap();
            rustix::net::send(&there, b"!", SendFlags::OOB).unwrap();
            there.write_all(b"after").unwrap();
            let (mut text, mut buffer) = (Vec::new(), [0; 64]);
            while text.len() < 11 {
                let count = soon(here.read(&mut buffer)).await.unwrap();
                text.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(text, b"beforeafter");
        }
    });
}

#[test]
fn bytes_behind_a_passed_descriptor_are_read() {
    on_a_loop(async {
        let (ours, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        let here = UnixStream::from_std(ours).unwrap();
        for _ in 0..10 {
            turns(1).await;
            assert!(here.try_read(&mut [0; 64]).is_err(), "nothing has been sent yet");
            let passed = [there.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut message = SendAncillaryBuffer::new(&mut space);
            assert!(message.push(SendAncillaryMessage::ScmRights(&passed)));
            sendmsg(&there, &[IoSlice::new(b"before")], &mut message, SendFlags::empty()).unwrap();
            there.write_all(b"after").unwrap();
            let (mut text, mut buffer) = (Vec::new(), [0; 64]);
            while text.len() < 11 {
                let count = soon(here.read(&mut buffer)).await.unwrap();
                text.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(text, b"beforeafter");
        }
    });
}
