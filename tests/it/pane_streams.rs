//! Ninety streams for the screens of panes: what programs printed (`tests/streams/record.py`), one behaviour each, and
//! random mixtures that are the same every time.

use std::fmt::Write;

/// A stream for a terminal of some size.
pub struct Stream {
    pub name: String,
    pub columns: u16,
    pub rows: u16,
    pub bytes: Vec<u8>,
}

/// What programs printed at 80x24.
const RECORDED: &[(&str, &[u8])] = &[
    ("ls", include_bytes!("../streams/ls.stream")),
    ("ls-columns", include_bytes!("../streams/ls-columns.stream")),
    ("grep", include_bytes!("../streams/grep.stream")),
    ("git-log", include_bytes!("../streams/git-log.stream")),
    ("git-log-pager", include_bytes!("../streams/git-log-pager.stream")),
    ("git-diff", include_bytes!("../streams/git-diff.stream")),
    ("build", include_bytes!("../streams/build.stream")),
    ("progress", include_bytes!("../streams/progress.stream")),
    ("spinner", include_bytes!("../streams/spinner.stream")),
    ("less", include_bytes!("../streams/less.stream")),
    ("less-open", include_bytes!("../streams/less-open.stream")),
    ("vim", include_bytes!("../streams/vim.stream")),
    ("vim-open", include_bytes!("../streams/vim-open.stream")),
    ("vim-colours", include_bytes!("../streams/vim-colours.stream")),
    ("top", include_bytes!("../streams/top.stream")),
    ("python", include_bytes!("../streams/python.stream")),
    ("node", include_bytes!("../streams/node.stream")),
    ("bash", include_bytes!("../streams/bash.stream")),
    ("man", include_bytes!("../streams/man.stream")),
    ("yes", include_bytes!("../streams/yes.stream")),
];

/// Eight numbered rows to do something with.
const ROWS: &str = "\x1b[H1 one\r\n2 two\r\n3 three\r\n4 four\r\n5 five\r\n6 six\r\n7 seven\r\n8 eight";

/// One behaviour each, at 20x8.
const SINGLE: &[(&str, &str)] = &[
    ("wrap", "abcdefghijklmnopqrstuvwxyz0123456789"),
    ("wrap at the bottom", "\x1b[8;15Habcdefghijk"),
    ("wrap with a background", "\x1b[44m\x1b[8;15Habcdefghijk"),
    ("no wrap", "\x1b[?7labcdefghijklmnopqrstuvwxyz\x1b[?7h!"),
    ("a full row and a new line", "abcdefghijklmnopqrst\r\nnext\r\n12345678901234567890\x1b[31mx"),
    ("a full row and a backspace", "abcdefghijklmnopqrst\x08X"),
    ("a backspace over a wrap", "abcdefghijklmnopqrstu\x08\x08\x08X"),
    ("a full row and left", "abcdefghijklmnopqrst\x1b[2DX"),
    ("a full row and erase", "abcdefghijklmnopqrst\x1b[K|\r\nabcdefghijklmnopqrst\x1b[1K"),
    (
        "a full row and insert",
        "abcdefghijklmnopqrst\x1b[2@X\r\nabcdefghijklmnopqrst\x1b[2PX\r\nabcdefghijklmnopqrst\x1b[2XX",
    ),
    ("a full row and a tab", "abcdefghijklmnopqrst\tX"),
    ("tabs", "a\tb\tc\r\n\x1b[3g\x1b[5G\x1bH\x1b[10G\x1bH\rx\ty\tz\x1b[2Z!"),
    ("a tab that is taken away", "\x1b[9G\x1b[g\ra\tb\x1b[Zc"),
    ("wide", "日本語テキスト漢字仮名交じり文"),
    ("wide, cut by writing", "日本語\x1b[2Gx\x1b[5Gy"),
    ("wide in the last column", "1234567890123456789日本\r\n\x1b[?7l1234567890123456789日"),
    ("wide, inserted and deleted", "日本語字\x1b[3G\x1b[@x\x1b[1;8H\x1b[P\r\n日本語字\x1b[2G\x1b[2P"),
    ("wide, erased by halves", "日本語字\x1b[4G\x1b[K\r\n日本語字\x1b[4G\x1b[1K\r\n日本語字\x1b[3G\x1b[X"),
    ("wide in insert mode", "\x1b[4habc\r日本\x1b[4l!"),
    ("marks", "e\u{301}a\u{308}o\u{302}\u{323}n\u{303} 日\u{3099}x"),
    ("a mark in the last column", "1234567890123456789e\u{301}x"),
    ("joined emoji", "👍 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f} x"),
    ("line drawing", "\x1b(0lqqqk\x1b(B\r\n\x1b(0x\x1b(B a \x1b(0x\x1b(B\r\n\x1b)0\x0emqqqj\x0f q"),
    ("insert rows", "\x1b[3H\x1b[2L"),
    ("delete rows", "\x1b[3H\x1b[2M"),
    ("insert rows in a region", "\x1b[2;5r\x1b[3H\x1b[2LX"),
    ("delete rows in a region", "\x1b[2;5r\x1b[3H\x1b[9MX"),
    ("insert rows below the region", "\x1b[2;5r\x1b[7H\x1b[LX"),
    ("insert rows above the region", "\x1b[4;6r\x1b[2H\x1b[LX"),
    ("delete rows above the region", "\x1b[4;6r\x1b[2H\x1b[MX"),
    ("scroll in a region", "\x1b[2;5r\x1b[5H\n\n\x1b[2H\x1bMX"),
    ("scroll up and down", "\x1b[2S\x1b[3;6r\x1b[T"),
    ("a region that is none", "\x1b[5;5rX\x1b[7;3rY\x1b[4;99rZ\x1b[8H\nW"),
    ("a region at the top", "\x1b[1;4r\x1b[4H\n\n\nX"),
    ("origin", "\x1b[3;6r\x1b[?6h\x1b[1;3HX\x1b[9;4HY\x1b[2dZ\x1b[H\x1bM\x1b[?6l!"),
    ("origin and reverse index", "\x1b[3;6r\x1b[?6h\x1b[3;1H\x1bMX\x1bM\x1bM\x1bMY"),
    ("save and restore", "\x1b[3;3H\x1b[31m\x1b7\x1b[mabc\x1b[8;1H\x1b8X\x1b[s\x1b[H\x1b[uY"),
    ("save on one screen, restore on the other", "\x1b[3;3H\x1b7\x1b[?1049h\x1b[HA\x1b8B\x1b[?1049lC"),
    ("the alternate screen", "\x1b[4;2H\x1b[?1049h\x1b[44mhello\x1b[2;1Hthere\x1b[?1049lX"),
    ("the alternate screen, open", "\x1b[?1049h\x1b[2Jabc\x1b[5;5Hdef\x1b[44m\x1b[K"),
    ("the old alternate screen", "\x1b[?47hA\x1b[?47lB\x1b[?1047hC\x1b[?1047lD\x1b[?1048h\x1b[H\x1b[?1048lE"),
    ("erase the screen", "\x1b[4;3H\x1b[JX\x1b[2;3H\x1b[1J"),
    ("erase everything", "\x1b[4;3H\x1b[2JX\x1b[3J"),
    ("erase with a background", "\x1b[4;3H\x1b[7;4;42m\x1b[K\x1b[6;3H\x1b[1K\x1b[2;2H\x1b[3X\x1b[8;5H\n\n"),
    ("insert and delete characters", "\x1b[2;3H\x1b[3@ab\x1b[4;3H\x1b[2P\x1b[5;1H\x1b[99@\x1b[6;1H\x1b[99PX"),
    ("insert mode", "\x1b[3;3H\x1b[4hXYZ\x1b[4l!"),
    ("repeat", "ab\x1b[3bc\x1b[999b\r\nx\r\x1b[4b\r\n日\x1b[2b|"),
    ("moves", "\x1b[99B\x1b[99Ca\x1b[99A\x1b[99Db\x1b[3Ec\x1b[2Fd\x1b[5`e\x1b[3df\x1b[4;4fg\x1b[Gh"),
    ("index and next line", "\x1b[3;3H\x1bDa\x1bEb\x1bMc\x0bd\x0ce"),
    ("line feed alone", "\x1b[2Ja\nb\nc\n\n\n\n\n\n\nd"),
    ("alignment", "\x1b[3;5r\x1b#8X\x1b[8;1H\nY"),
    ("reset", "\x1b[3;5r\x1b[?6h\x1b[31m\x1b(0\x1b[4h\x1bcabcq\r\n\t\tx"),
    (
        "strings",
        "a\x1b]0;title\x07b\x1b]8;;https://example.com\x1b\\c\x1bPq#0\x1b\\d\x1b_x\x1b\\e\x1b^y\x1b\\f\x1bkname\x1b\\g",
    ),
    ("broken sequences", "a\x1b[3\x18b\x1b[12;é3mc\x1b[1<md\x1b[?e\x1b[ fg\x1b\x1b[31mh\x1b[;;;;mi"),
    ("controls inside a sequence", "ab\x1b[3\r1mc\x1b[\x08;4Hd"),
    ("soft reset and what tmux has not", "\x1b[31m\x1b[!pa\x1b[3ab\x1b[2ec\x1b[2Id\x1b[5We\x1b[20hf\ng"),
    ("sixteen colours", "\x1b[31ma\x1b[1;32mb\x1b[22;93mc\x1b[44md\x1b[107me\x1b[39mf\x1b[49mg\x1b[0mh"),
    ("256 colours", "\x1b[38;5;208ma\x1b[48;5;17mb\x1b[38:5:99mc\x1b[38;5mD\x1b[48;5;300mE"),
    ("true colour", "\x1b[38;2;10;20;30ma\x1b[48;2;200;100;0mb\x1b[38:2::1:2:3mc\x1b[48:2:4:5:6md\x1b[38;2;1;2mE"),
    (
        "attributes",
        "\x1b[1ma\x1b[0;2mb\x1b[0;3mc\x1b[0;4md\x1b[7me\x1b[0;9mf\x1b[27mg\x1b[4:3mh\x1b[4:0mi\x1b[58;5;1mj",
    ),
];

/// Every stream.
pub fn all() -> Vec<Stream> {
    let mut streams: Vec<Stream> = RECORDED
        .iter()
        .map(|(name, bytes)| Stream { name: (*name).to_owned(), columns: 80, rows: 24, bytes: bytes.to_vec() })
        .collect();
    streams.extend(SINGLE.iter().map(|(name, text)| {
        let bytes = format!("{ROWS}{text}").into_bytes();
        Stream { name: (*name).to_owned(), columns: 20, rows: 8, bytes }
    }));
    let random = 90 - streams.len();
    streams.extend((1..=random).map(|seed| {
        let (columns, rows) = [(20, 8), (40, 12), (80, 24)][seed % 3];
        Stream {
            name: format!("mixture {seed}"),
            columns,
            rows,
            bytes: mixture(seed as u64, columns, rows).into_bytes(),
        }
    }));
    streams
}

/// Numbers that look random and are the same every time (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// Four hundred pieces: text of every kind, and sequences with all their counts.
fn mixture(seed: u64, columns: u16, rows: u16) -> String {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text = String::new();
    for _ in 0..400 {
        let (row, column) = (chance.below(usize::from(rows) + 2), chance.below(usize::from(columns) + 2));
        let count = chance.below(5);
        let sequence = match chance.below(20) {
            0..=5 => chance
                .of(&[
                    "word ",
                    "a",
                    "some text that may wrap ",
                    "0123456789",
                    "x\r\n",
                    "日本",
                    "größe",
                    "e\u{301}",
                    "👍",
                ])
                .to_owned(),
            6 => chance.of(&["\r", "\n", "\r\n", "\t", "\x08", "\x1bM", "\x1bD", "\x1bE", "\x1b7", "\x1b8"]).to_owned(),
            7..=9 => format!("\x1b[{row};{column}H"),
            10 => format!("\x1b[{count}{}", chance.of(&["A", "B", "C", "D", "E", "F", "Z", "b"])),
            11 => format!("\x1b[{column}G"),
            12 => format!("\x1b[{count}{}", chance.of(&["@", "P", "X", "L", "M", "S", "T"])),
            13 => format!("\x1b[{}{}", chance.below(3), chance.of(&["J", "K", "K", "K"])),
            14..=16 => format!(
                "\x1b[{}m",
                chance.of(&["0", "1", "4", "7", "31", "42", "38;5;99", "48;2;1;2;3", "22", "39;49"])
            ),
            17 => format!("\x1b[{};{}r", chance.below(usize::from(rows)), chance.below(usize::from(rows) + 2)),
            18 => chance
                .of(&["\x1b[?6h", "\x1b[?6l", "\x1b[?7l", "\x1b[?7h", "\x1b[4h", "\x1b[4l", "\x1b[?7h", "\x1b[4l"])
                .to_owned(),
            _ => chance
                .of(&["\x1b[?1049h", "\x1b[?1049l", "\x1b[r", "\x1b]0;t\x07", "\x1b(0q\x1b(B", "\x1bH"])
                .to_owned(),
        };
        write!(text, "{sequence}").expect("writes");
    }
    text
}
