//! Logs that take nothing, refuse, or take half.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

fn report(missing: u64) -> Vec<u8> {
    format!("{missing} are missing\n").into_bytes()
}

/// A pipe that is read a line at a time, when the test asks for one.
struct Pipe {
    offered: Sender<()>,
    taken: Receiver<()>,
    written: Sender<String>,
}

/// The other end of it.
struct Reader {
    offers: Receiver<()>,
    take: Sender<()>,
    lines: Receiver<String>,
}

fn pipe() -> (Pipe, Reader) {
    let ((offered, offers), (take, taken), (written, lines)) = (channel(), channel(), channel());
    (Pipe { offered, taken, written }, Reader { offers, take, lines })
}

impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.offered.send(());
        self.taken.recv().map_err(io::Error::other)?;
        let _ = self.written.send(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reader {
    fn line(&self) -> String {
        self.take.send(()).unwrap();
        self.lines.recv().unwrap()
    }
}

#[test]
fn nobody_waits_for_a_log_that_is_blocked_and_what_is_lost_is_counted() {
    let (pipe, reader) = pipe();
    let (queue, guard) = start(pipe, report).unwrap();
    queue.push(b"first\n");
    reader.offers.recv().unwrap();
    let line = [b'x'; 1024];
    for _ in 0..ROOM / line.len() + 10 {
        queue.push(&line);
    }
    assert_eq!(reader.line(), "first\n");
    // What comes before half of the room is free is in the same gap.
    queue.push(b"too early\n");
    for _ in 0..ROOM / line.len() {
        assert_eq!(reader.line().len(), line.len());
    }
    queue.push(b"next\n");
    assert_eq!(reader.line(), "11 are missing\n");
    assert_eq!(reader.line(), "next\n");
    queue.push(b"last\n");
    reader.take.send(()).unwrap();
    drop(guard);
    assert_eq!(reader.lines.try_recv().unwrap(), "last\n", "the end waits for what is waiting");
}

#[test]
fn the_end_is_not_held_up_for_good() {
    let (pipe, reader) = pipe();
    let (queue, guard) = start(pipe, report).unwrap();
    queue.push(b"nobody reads this\n");
    reader.offers.recv().unwrap();
    drop(guard);
    queue.push(b"nor this\n");
}

/// A disk that is full in the middle of each line that says so.
#[derive(Default)]
struct Disk(Vec<u8>);

impl Write for Disk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let taken = match line {
            [b'f', b'u', b'l', b'l', ..] => 2,
            [b'l', b'l', ..] => return Err(ErrorKind::StorageFull.into()),
            _ => line.len(),
        };
        self.0.extend_from_slice(&line[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_full_disk_refuses_is_counted_and_ends_no_log() {
    let (queue, mut disk) = (Queue::default(), Disk::default());
    for line in ["one\n", "full\n", "full\n", "two\n", "three\n"] {
        queue.push(line.as_bytes());
    }
    queue.lock().is_closed = true;
    Writer { sink: &mut disk, report, is_torn: false, missing: 0 }.run(&queue);
    assert_eq!(String::from_utf8(disk.0).unwrap(), "one\nfu\nfu\ntwo\n2 are missing\nthree\n");
}
