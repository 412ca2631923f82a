//! What a person sees on a terminal.

use crate::harness::World;
use crate::harness::cli::Cli;
use crate::harness::process::PIZZA;

/// Runs the program behind the first three arguments on a terminal of so many
/// columns and rows, and prints what comes out there. Where the third is not
/// 0, the terminal gets so many columns after some redraws; a NUL marks that.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
columns, rows, later = map(int, sys.argv[1:4])
def resize(fd, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    resize(0, columns)
    os.execv(sys.argv[4], sys.argv[4:])
seen = b""
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    seen += more
    if later and seen.count(b"\x1b[J") > 3:
        resize(fd, later)
        seen += b"\0"
        later = 0
sys.stdout.buffer.write(seen)
"#;

async fn on_a_terminal(cli: Cli, size: [u16; 3], arguments: &[&str]) -> String {
    let size = size.map(|number| number.to_string());
    let mut all = vec!["-c", TERMINAL];
    all.extend(size.iter().map(String::as_str));
    all.push(PIZZA);
    all.extend(arguments);
    let output = cli.program("python3", &all).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

/// A terminal that does what it is told, as far as is needed.
struct Screen {
    columns: usize,
    rows: usize,
    /// Everything that was ever on it, the screen at the end.
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    /// What stands on it after all of this; a NUL makes it `later` columns
    /// wide.
    fn after(text: &str, [columns, rows, later]: [u16; 3]) -> Vec<String> {
        let mut screen = Self {
            columns: columns.into(),
            rows: rows.into(),
            lines: vec![Vec::new()],
            row: 0,
            column: 0,
        };
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\0' => screen.columns = later.into(),
                '\r' => screen.column = 0,
                '\n' => screen.down(),
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "an escape");
                    let numbers: String = rest.by_ref().take_while_inclusive();
                    screen.escape(&numbers);
                }
                c => screen.put(c),
            }
        }
        let lines = screen.lines.iter();
        lines.map(|line| line.iter().collect::<String>()).collect()
    }

    fn top(&self) -> usize {
        self.lines.len().saturating_sub(self.rows)
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, c: char) {
        if self.column == self.columns {
            self.column = 0;
            self.down();
        }
        let line = &mut self.lines[self.row];
        line.resize(line.len().max(self.column + 1), ' ');
        line[self.column] = c;
        self.column += 1;
    }

    fn escape(&mut self, escape: &str) {
        let (number, order) = escape.split_at(escape.len() - 1);
        match order {
            "A" => {
                let up: usize = number.parse().expect("a number");
                self.row = self.row.saturating_sub(up).max(self.top());
            }
            "H" => (self.row, self.column) = (self.top(), 0),
            "J" => {
                let from = if number == "2" { self.top() } else { self.row };
                for line in &mut self.lines[from..] {
                    line.clear();
                }
            }
            // Colours.
            "m" => {}
            _ => panic!("escape {escape:?}"),
        }
    }
}

trait Escape {
    /// The rest of an escape, its last letter included.
    fn take_while_inclusive(self) -> String;
}

impl<I: Iterator<Item = char>> Escape for I {
    fn take_while_inclusive(self) -> String {
        let mut escape = String::new();
        for c in self {
            escape.push(c);
            if c.is_ascii_alphabetic() {
                break;
            }
        }
        escape
    }
}

/// Eight orders, watched by one person: a line for each.
const WATCH: [&str; 6] = [
    "order",
    "--error-on-step",
    "ALL",
    "--watch",
    "--per-step-delay-seconds",
    "0.4",
];

/// The lines of the block that is redrawn: an order's id, and more.
fn drawn(lines: &[String]) -> Vec<&str> {
    let is_drawn = |line: &&String| {
        let id = line.split("  ").next().unwrap_or_default();
        id.len() == 36 && line.chars().filter(|c| *c == '-').count() >= 4
    };
    lines
        .iter()
        .filter(is_drawn)
        .map(|line| &line[..36])
        .collect()
}

/// All eight orders are drawn, each once.
fn assert_drawn_once(lines: &[String]) {
    let mut ids = drawn(lines);
    assert_eq!(ids.len(), 8, "{}", lines.join("\n"));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8, "{}", lines.join("\n"));
}

async fn watched(size: [u16; 3]) -> String {
    let world = World::shared().await;
    on_a_terminal(world.cli().with("TERM", "xterm"), size, &WATCH).await
}

#[tokio::test]
async fn watched_orders_are_redrawn_in_place_on_a_narrow_terminal() {
    // An id alone has 36 characters.
    let size = [40, 60, 0];
    let text = watched(size).await;
    assert_drawn_once(&Screen::after(&text, size));
}

#[tokio::test]
async fn watched_orders_are_redrawn_in_place_on_a_low_terminal() {
    let size = [100, 6, 0];
    let text = watched(size).await;
    let lines = Screen::after(&text, size);
    assert_eq!(drawn(&lines).len(), 4, "{}", lines.join("\n"));
    let others: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("(4 lines more)"))
        .collect();
    assert_eq!(others.len(), 1, "{}", lines.join("\n"));
}

#[tokio::test]
async fn watched_orders_are_redrawn_in_place_when_the_terminal_gets_narrower() {
    let size = [100, 60, 42];
    let text = watched(size).await;
    assert!(text.contains('\0'), "it was not resized: {text}");
    assert_drawn_once(&Screen::after(&text, size));
}

#[tokio::test]
async fn without_colours_there_is_no_escape_in_clients_and_logs() {
    let world = World::shared().await;
    let key = world.cli().ok(&["codec-key", "k"]).await;
    let file = crate::harness::folder::new("keys").join("codec.keys");
    std::fs::write(&file, key).expect("a file");
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("allowed");
    let cli = || {
        world
            .cli()
            .with("PIZZA_CODEC_KEYS", file.to_str().expect("UTF-8"))
    };
    let watch = ["order", "--watch", "--flavour", "plain"];
    // Its first line of the log says that there are keys.
    let logs = ["audit"];
    let size = [80, 24, 0];
    for arguments in [&watch[..], &logs] {
        let coloured = on_a_terminal(cli().with("TERM", "xterm"), size, arguments).await;
        assert!(coloured.contains('\u{1b}'), "{arguments:?}: {coloured}");
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
            let cli = cli().with("TERM", "xterm").with(name, value);
            let text = on_a_terminal(cli, size, arguments).await;
            assert!(!text.contains('\u{1b}'), "{name}={value}: {text:?}");
            let expected = if arguments == logs {
                "INFO payloads"
            } else {
                "  DeliveryConfirmed"
            };
            assert!(text.contains(expected), "{name}={value}: {text:?}");
        }
        // An empty one is as one that is not set.
        let cli = cli().with("TERM", "xterm").with("NO_COLOR", "");
        let coloured = on_a_terminal(cli, size, arguments).await;
        assert!(coloured.contains('\u{1b}'), "{arguments:?}: {coloured}");
    }
}
