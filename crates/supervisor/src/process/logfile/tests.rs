use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::*;

fn written(queue: &Queue) -> String {
    let mut file = Vec::new();
    copy(queue, &mut file).unwrap();
    String::from_utf8(file).unwrap()
}

#[test]
fn what_fits_is_written_in_order() {
    let queue = Queue::default();
    queue.push(b"one\n");
    queue.push(b"");
    queue.push(b"two");
    queue.end();
    queue.push(b"too late");
    assert_eq!(written(&queue), "one\ntwo");
}

#[test]
fn more_than_a_mebibyte_behind_is_dropped_and_counted_once() {
    let queue = Queue::default();
    let kib = [b'x'; 1024];
    for _ in 0..1024 {
        queue.push(&kib);
    }
    queue.push(b"yy"); // one too many
    for _ in 0..1000 {
        queue.push(&kib);
    }
    assert_eq!(queue.lock().bytes, LIMIT);
    // Half of it must be written before anything is taken again.
    let mut taken = 0;
    for _ in 0..512 {
        assert_eq!(queue.next(taken), Some(Chunk::Bytes(kib.to_vec())));
        taken = 1024;
    }
    queue.push(b"zz"); // the 512th is not written yet
    assert_eq!(queue.next(taken), Some(Chunk::Bytes(kib.to_vec())));
    assert_eq!(queue.next(1024), Some(Chunk::Bytes(kib.to_vec())));
    queue.push(b"back\n");
    queue.end();
    let rest = written(&queue);
    let (before, after) = rest.split_at(510 * 1024);
    assert!(before.bytes().all(|byte| byte == b'x'));
    assert_eq!(after, format!("\n[falconer: {} bytes of output dropped]\nback\n", 2 + 1000 * 1024 + 2));
}

#[test]
fn a_gap_at_the_end_is_told_too() {
    let queue = Queue::default();
    queue.push(b"line\n");
    queue.push(&vec![0; LIMIT]);
    queue.end();
    assert_eq!(written(&queue), format!("line\n[falconer: {LIMIT} bytes of output dropped]\n"));
}

#[test]
fn a_gap_is_told_although_nothing_follows() {
    let queue = Queue::default();
    queue.push(&vec![0; LIMIT + 1]);
    assert_eq!(queue.next(0), Some(Chunk::Gap(LIMIT as u64 + 1)));
}

/// Runs on a thread, as in the product: a writer that hangs must not make the reader wait.
#[test]
fn a_writer_that_hangs_stops_nobody() {
    struct Hanging(mpsc::Receiver<()>, u64);
    impl io::Write for Hanging {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let queue = Arc::new(Queue::default());
    let (release, wait) = mpsc::channel();
    let writer = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || {
            let mut file = Hanging(wait, 0);
            copy(&queue, &mut file).map(|()| file.1)
        })
    };
    for _ in 0..100 {
        queue.push(&[b'x'; 64 << 10]);
    }
    queue.end();
    drop(release);
    let written = writer.join().unwrap().unwrap();
    assert!(written <= LIMIT as u64 + 100, "{written}");
}

#[test]
fn a_failure_is_told_and_the_queue_goes_on_taking() {
    let (told, hear) = mpsc::channel();
    let queue = Arc::new(Queue::default());
    queue.push(b"before");
    let log =
        StdoutLog { folder: "/dev/null/logs".into(), prefix: "x".into(), max_size: None, max_files: None };
    write_to_file(Arc::clone(&queue), log, 7, move |path, error| told.send((path, error)).unwrap());
    let (path, _) = hear.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(path, Path::new("/dev/null/logs"));
    queue.push(&vec![0; 2 * LIMIT]);
    let state = queue.lock();
    assert_eq!((state.bytes, state.dropped), (0, 0));
}

#[test]
fn the_end_can_be_waited_for() {
    let folder = std::env::temp_dir().join(format!("falconer-logfile-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let written = |queue: &Queue| {
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), queue.written()).await })
    };
    written(&Queue::default()).expect("nobody writes it");
    let queue = Arc::new(Queue::default());
    let log = StdoutLog { folder: folder.clone(), prefix: "x".into(), max_size: None, max_files: None };
    write_to_file(Arc::clone(&queue), log, 7, |_, error| panic!("{error}"));
    queue.push(b"last words");
    queue.end();
    written(&queue).expect("it has an end");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "last words");
    std::fs::remove_dir_all(folder).unwrap();
}
