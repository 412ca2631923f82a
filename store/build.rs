//! A new migration is a reason to build anew; the macro that embeds them only
//! notices changes to those it knows.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
