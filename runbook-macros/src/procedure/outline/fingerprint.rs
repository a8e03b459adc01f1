//! A fingerprint of the steps of a procedure and their order, the same in every build and on every machine.

use super::Item;

/// The fingerprint of these items. Titles, comments and spacing do not change it.
pub(super) fn of(items: &[Item]) -> u64 {
    let mut hash = Fnv::default();
    hash.items(items);
    hash.0
}

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn items(&mut self, items: &[Item]) {
        self.text("{");
        for item in items {
            self.text(item.kind);
            self.text(&item.print);
            self.items(&item.items);
        }
        self.text("}");
    }

    fn text(&mut self, text: &str) {
        // No text holds this byte, so it tells where one ends.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
