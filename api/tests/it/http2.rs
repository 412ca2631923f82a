//! HTTP/2 as a client speaks it that means ill: frames, said one by one.

use crate::support::RawClient;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A text of a header block, as it is.
fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[length], text.as_bytes()].concat()
}

/// A header block. The first byte is the method's place in the static table.
fn block(method: u8, path: &str) -> Vec<u8> {
    [&[method, 0x86, 0x04][..], &text(path), &[0x01], &text("a")].concat()
}

impl RawClient {
    /// Begins a connection whose streams have this window, in bytes.
    pub(crate) async fn open_http2(&mut self, window: u32) {
        let setting = [&[0, 4][..], &window.to_be_bytes()].concat();
        self.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        self.send(frame(SETTINGS, 0, 0, &setting)).await;
    }
}

/// A GET, whole.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        stream,
        &block(0x82, path),
    )
}

/// A HEAD, whose answer has no body.
pub(crate) fn head(stream: u32, path: &str) -> Vec<u8> {
    // A name of the static table, with another value.
    let method = [&[0x02][..], &text("HEAD")].concat();
    let rest = block(0x82, path).split_off(1);
    frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        stream,
        &[method, rest].concat(),
    )
}

/// A POST without a body.
pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        stream,
        &block(0x83, path),
    )
}

/// The header of a gRPC call, whose message is still to come.
pub(crate) fn call(stream: u32, path: &str) -> Vec<u8> {
    let content_type = [&[0x0f, 0x10][..], &text("application/grpc")].concat();
    let block = [block(0x83, path), content_type].concat();
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// The end of a stream that the client does not want any more.
pub(crate) fn reset(stream: u32) -> Vec<u8> {
    const CANCEL: u32 = 8;
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}
