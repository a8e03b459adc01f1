//! What a simulated engine does in a helper container: the scripts of this library, and no others.

use std::collections::BTreeMap;

use runbook::command::Output;
use runbook::testing::Call;

use super::engine::Engine;
use super::unknown;
use crate::docker::Reference;
use crate::docker::volume::helper::{CONTENT, COPY, PACK, PACK_SMALL, UNPACK, UNPACK_SMALL};
use crate::file::content::sha256;

/// `docker run`.
pub(super) fn run(engine: &mut Engine<'_, Call<'_>>, args: &[&str]) -> Output {
    let Some(at) = args.iter().position(|arg| *arg == "--entrypoint") else { return unknown("docker run", args) };
    let ["--entrypoint", "sh", image, "-c", script, ..] = args[at..] else { return unknown("docker run", args) };
    if engine.find(image).is_none() {
        return Output::failed(125, format!("Unable to find image '{}' locally\n", Reference::named(image)));
    }
    let volumes = args.windows(2).filter(|pair| pair[0] == "--volume").filter_map(|pair| pair[1].split(':').next());
    let volumes: Vec<String> = volumes.map(str::to_owned).collect();
    engine.store.volumes.extend(volumes.iter().cloned());
    let files = |engine: &Engine<'_, Call<'_>>, at: usize| -> BTreeMap<String, String> {
        let volume = volumes.get(at).and_then(|name| engine.volumes.get(name));
        volume.map(|volume| volume.files.clone()).unwrap_or_default()
    };
    let first = files(engine, 0);
    match script {
        CONTENT => {
            let text = serde_json::to_string(&first).unwrap_or_default();
            Output::ok(format!("{}  -\n{}\n", sha256(text.as_bytes()), first.len()))
        }
        PACK | PACK_SMALL => Output::ok(serde_json::to_string(&first).unwrap_or_default()),
        UNPACK | UNPACK_SMALL => match serde_json::from_slice(engine.ground.input()) {
            Ok(unpacked) => put(engine, &volumes[0], unpacked),
            Err(_) => Output::failed(2, "tar: This does not look like a tar archive\n"),
        },
        COPY => put(engine, &volumes[1], first),
        _ => unknown("docker run", args),
    }
}

fn put(engine: &mut Engine<'_, Call<'_>>, volume: &str, files: BTreeMap<String, String>) -> Output {
    engine.volumes.entry(volume.to_owned()).or_default().files = files;
    engine.save();
    Output::ok("")
}
