#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| escale_fuzz::check("schema", bytes));
