//! Sessions: what both planes share, and what only a real one can show.

use crate::rig::{Rig, group, spec};
use escale_base::{Secret, error::Fault};
use escale_containers::{
    Behaviour, Session, SessionEvent, SessionSpec, Terminal, TerminalSize, attach, spec::ContainerSpec,
};
use std::{fs, path::Path, time::Duration};

/// No session may hang: what it waits for happens long before this.
const PATIENCE: Duration = Duration::from_secs(30);

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod fake { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::rig::Rig::fake()).await }
        )* }
        mod real { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::rig::Rig::real()).await }
        )* }
    };
}

contract!(session_passes_input_and_output, session_survives_the_daemon, session_needs_a_running_container);

fn command(argv: &[&str]) -> SessionSpec {
    SessionSpec { argv: argv.iter().map(|a| a.to_string()).collect(), terminal: None }
}

fn shell(script: &str) -> SessionSpec {
    command(&["/bin/sh", "-c", script])
}

fn on_terminal(spec: SessionSpec) -> SessionSpec {
    let size = TerminalSize { rows: 11, columns: 33 };
    SessionSpec { terminal: Some(Terminal { kind: Some("vt100".into()), size }), ..spec }
}

async fn next(session: &mut Session) -> SessionEvent {
    tokio::time::timeout(PATIENCE, session.output.next()).await.expect("an event of the session").unwrap()
}

/// Reads output until it contains a text.
async fn until(session: &mut Session, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        match next(session).await {
            SessionEvent::Output(bytes) => read += &String::from_utf8_lossy(&bytes),
            other => panic!("{other:?} after {read:?}"),
        }
    }
    read
}

/// The whole output, the whole error output, and the exit code.
async fn to_end(session: &mut Session) -> (String, String, i32) {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    loop {
        match next(session).await {
            SessionEvent::Output(bytes) => output.extend(bytes),
            SessionEvent::Error(bytes) => error.extend(bytes),
            SessionEvent::Ended(code) => {
                let text = |bytes| String::from_utf8(bytes).unwrap();
                return (text(output), text(error), code);
            }
        }
    }
}

async fn running(rig: &Rig) {
    rig.plane().start(group("g", vec![rig.container("main", Behaviour::default())])).await.unwrap();
    rig.running("g", "main").await;
}

async fn session_passes_input_and_output(rig: Rig) {
    running(&rig).await;
    let mut session = rig.plane().session("g", "main", &command(&["/bin/cat"])).await.unwrap();
    session.input.send(b"one\n").await.unwrap();
    until(&mut session, "one\n").await;
    // More than pipes and sockets hold.
    let (mut input, mut output) = (session.input, session.output);
    let large = "0123456789abcde\n".repeat(64 * 1024);
    let sent = tokio::spawn({
        let large = large.clone();
        async move {
            input.send(large.as_bytes()).await.unwrap();
            input.end().await.unwrap();
            input
        }
    });
    let mut read = Vec::new();
    let code = loop {
        match tokio::time::timeout(PATIENCE, output.next()).await.unwrap().unwrap() {
            SessionEvent::Output(bytes) => read.extend(bytes),
            SessionEvent::Ended(code) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((read.len(), code), (large.len(), 0));
    assert!(read == large.as_bytes());
    drop(sent.await.unwrap());
    rig.done().await;
}

async fn session_survives_the_daemon(mut rig: Rig) {
    running(&rig).await;
    let mut session = rig.plane().session("g", "main", &command(&["/bin/cat"])).await.unwrap();
    session.input.send(b"before\n").await.unwrap();
    until(&mut session, "before\n").await;
    rig.restart();
    session.input.send(b"after\n").await.unwrap();
    until(&mut session, "after\n").await;
    session.input.end().await.unwrap();
    assert_eq!(to_end(&mut session).await.2, 0);
    rig.done().await;
}

async fn session_needs_a_running_container(rig: Rig) {
    let ended = rig.container("main", Behaviour { exits: Some((1, 0)), ..Default::default() });
    rig.plane().start(group("g", vec![ended])).await.unwrap();
    rig.exit("g", "main").await;
    for (group, container, says) in [
        ("g", "main", "is not running"),
        ("g", "other", "no container 'other'"),
        ("h", "main", "no group 'h'"),
    ] {
        let error = rig.plane().session(group, container, &command(&["/bin/cat"])).await.err().unwrap();
        assert!(error.fault == Fault::Asked && error.to_string().contains(says), "{error}");
    }
    rig.done().await;
}

fn sleeper(rig: &Rig) -> ContainerSpec {
    let mut c = spec("main", &rig.machine().image);
    c.command = Some(["/bin/sh", "-c", "while :; do sleep 1; done"].map(String::from).to_vec());
    c.env.insert("WHO".into(), Secret::new("me".into()));
    c
}

/// A plane with one running container.
async fn machine() -> Rig {
    let rig = Rig::real();
    rig.plane().start(group("g", vec![sleeper(&rig)])).await.unwrap();
    rig.running("g", "main").await;
    rig
}

async fn begin(rig: &Rig, spec: &SessionSpec) -> Session {
    attach(&rig.machine().state(), "g", "main", spec).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_and_errors_are_separate_and_the_exit_code_is_the_commands() {
    let rig = machine().await;
    for (script, output, errors, code) in [
        ("echo $WHO; echo bad >&2; exit 3", "me\n", "bad\n", 3),
        ("kill -TERM $$", "", "", 143),
        ("test -t 0 || echo no terminal", "no terminal\n", "", 0),
    ] {
        let mut session = begin(&rig, &shell(script)).await;
        assert_eq!(to_end(&mut session).await, (output.into(), errors.into(), code), "{script}");
    }
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminal_has_the_clients_size_and_follows_its_changes() {
    let rig = machine().await;
    // In a loop, because crun sets the size while it starts the command, and under load a moment later.
    let script = "until size=$(/bin/busybox stty size 2>/dev/null); test -n \"$size\"; do sleep 0.01; done; echo $size; echo $TERM; tty; \
                  trap '/bin/busybox stty size; exit 5' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut session = begin(&rig, &on_terminal(shell(script))).await;
    let shown = until(&mut session, "ready").await;
    assert!(shown.contains("11 33\r\nvt100\r\n/dev/pts/0"), "{shown:?}");
    session.input.resize(TerminalSize { rows: 40, columns: 120 }).await.unwrap();
    let (output, _, code) = to_end(&mut session).await;
    assert!(output.contains("40 120") && code == 5, "{output:?} {code}");
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminal_passes_control_characters() {
    let rig = machine().await;
    let mut session = begin(
        &rig,
        &on_terminal(shell("trap 'echo stopped; exit 9' INT; echo ready; while :; do sleep 0.05; done")),
    )
    .await;
    until(&mut session, "ready").await;
    // Ctrl-C.
    session.input.send(b"\x03").await.unwrap();
    let (output, _, code) = to_end(&mut session).await;
    assert!(output.contains("stopped") && code == 9, "{output:?} {code}");
    rig.done().await;
}

/// How many of the container's processes have this word in their command line.
fn count(rig: &Rig, word: &str) -> usize {
    let of_container = |folder: &Path| {
        let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
        let command = fs::read(folder.join("cmdline")).unwrap_or_default();
        cgroup.contains(&rig.machine().tag) && String::from_utf8_lossy(&command).contains(word)
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| of_container(&entry.path())).count()
}

async fn until_none(rig: &Rig, word: &str) {
    let gone = async {
        while count(rig, word) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the command continues after its client disconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn command_gets_sighup_when_the_client_disconnects() {
    let rig = machine().await;
    for terminal in [false, true] {
        let script =
            format!("trap 'touch /hung-up-{terminal}; exit' HUP; echo ready; while :; do sleep 0.0511; done");
        let spec = if terminal { on_terminal(shell(&script)) } else { shell(&script) };
        let mut session = begin(&rig, &spec).await;
        until(&mut session, "ready").await;
        assert!(count(&rig, "0.0511") > 0);
        drop(session);
        until_none(&rig, "0.0511").await;
        let mut check = begin(&rig, &command(&["/bin/test", "-e", &format!("/hung-up-{terminal}")])).await;
        assert_eq!(to_end(&mut check).await.2, 0, "terminal: {terminal}");
    }
    rig.done().await;
}

/// The client is noticed to be gone although its last input was not read.
#[tokio::test(flavor = "multi_thread")]
async fn command_that_does_not_read_gets_sighup_too() {
    let rig = machine().await;
    let mut session = begin(&rig, &shell("echo ready; sleep 1234")).await;
    until(&mut session, "ready").await;
    let mut input = session.input;
    let chunk = vec![b'x'; 1 << 20];
    let stuck = tokio::time::timeout(Duration::from_millis(300), input.send(&chunk)).await;
    assert!(stuck.is_err(), "the input was read");
    drop((input, session.output));
    until_none(&rig, "1234").await;
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_ends_with_its_container() {
    let rig = machine().await;
    for terminal in [false, true] {
        let spec = shell("echo ready; while :; do sleep 1; done");
        let spec = if terminal { on_terminal(spec) } else { spec };
        let id = format!("h{terminal}");
        rig.plane().start(group(&id, vec![sleeper(&rig)])).await.unwrap();
        rig.running(&id, "main").await;
        let mut session = attach(&rig.machine().state(), &id, "main", &spec).await.unwrap();
        until(&mut session, "ready").await;
        rig.plane().remove(&id).await.unwrap();
        assert_eq!(to_end(&mut session).await.2, 137);
    }
    rig.done().await;
}

/// A client that does not read keeps nothing alive for long.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_client_does_not_keep_the_session_after_its_container() {
    let rig = machine().await;
    let session = begin(&rig, &shell("exec dd if=/dev/zero bs=64k count=1000")).await;
    let here = rig.machine().state().display().to_string();
    let processes = || {
        let is_session = |folder: &Path| {
            let command = fs::read(folder.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            command.contains(&here) && command.contains("\0session\0")
        };
        fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_session(&entry.path())).count()
    };
    // By then the session's process has filled the socket; without a limit the command would have ended, too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((processes(), count(&rig, "bs=64k")), (1, 1));
    rig.plane().remove("g").await.unwrap();
    assert_eq!(processes(), 1, "the session ended although its client has not read everything");
    let gone = async {
        while processes() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the session's process stays");
    drop(session);
    rig.done().await;
}

/// A client may read much later than the command ended, as long as the container runs.
#[tokio::test(flavor = "multi_thread")]
async fn late_client_gets_the_whole_output() {
    let rig = machine().await;
    // Some of these fill the socket, and the rest stays in the pipe when the command ends.
    let lengths = [180, 200, 220, 240, 260].map(|kib| kib * 1024);
    let mut sessions = Vec::new();
    for length in lengths {
        let script = format!("exec dd if=/dev/zero bs={length} count=1 2>/dev/null");
        sessions.push((length, begin(&rig, &shell(&script)).await));
    }
    // Longer than the session waits once its container has ended.
    tokio::time::sleep(Duration::from_millis(escale_containers::limits::SESSION_FLUSH_MS + 500)).await;
    for (length, mut session) in sessions {
        let (output, _, code) = to_end(&mut session).await;
        assert_eq!((output.len(), code), (length, 0));
    }
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_cannot_run_are_refused_with_the_reason() {
    let rig = machine().await;
    for terminal in [false, true] {
        for argv in [&["/nope"][..], &["not-on-path"], &["/etc"]] {
            let spec = if terminal { on_terminal(command(argv)) } else { command(argv) };
            let error = attach(&rig.machine().state(), "g", "main", &spec).await.err().unwrap();
            assert!(error.fault == Fault::Asked && error.to_string().contains(argv[0]), "{error}");
        }
    }
    let none = attach(&rig.machine().state(), "../g", "main", &command(&["/bin/cat"])).await.err().unwrap();
    assert!(none.to_string().contains("does not exist"), "{none}");
    // Nothing of the refused sessions is left.
    let left = fs::read_dir(rig.machine().state().join("groups/g/c/main/x")).unwrap().count();
    assert_eq!(left, 0);
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn socket_is_private_and_the_number_of_sessions_limited() {
    use std::os::unix::fs::MetadataExt;
    let rig = machine().await;
    let socket = rig.machine().state().join("groups/g/c/main/session.sock");
    assert_eq!(fs::metadata(socket).unwrap().mode() & 0o077, 0, "other users may connect");
    let mut open = Vec::new();
    for _ in 0..escale_containers::limits::SESSIONS {
        open.push(begin(&rig, &command(&["/bin/cat"])).await);
    }
    let error = attach(&rig.machine().state(), "g", "main", &command(&["/bin/cat"])).await.err().unwrap();
    assert!(error.to_string().contains("has 32 sessions"), "{error}");
    drop(open.pop());
    let again = async {
        while attach(&rig.machine().state(), "g", "main", &command(&["/bin/cat"])).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the ended session still counts");
    rig.done().await;
}
