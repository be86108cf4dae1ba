//! Makes the client smaller in ways that no compiler has: without what it carries and never calls, without
//! long names, without comments.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use walrus::{FunctionKind, Module, RawCustomSection};

/// The section by which `wasm-bindgen` learns what is exported: pairs of a version and a program, each
/// after its length in four bytes.
const PROGRAMS: &str = "__wasm_bindgen_unstable";
/// A crate that `leptos` brings for streams of server functions, of which the page has none. It exports
/// functions, so that the linker keeps them with all that they call.
const UNUSED_CRATE: &str = "wasm_streams";
/// What the classes of its exports begin with.
const UNUSED_CLASS: &str = "IntoUnderlying";

/// Takes the unused crate out, as far as its functions have names.
///
/// # Errors
/// If the section of programs is not as expected.
pub(super) fn remove_unused_crate(module: &mut Module) -> Result<()> {
    let programs = module.customs.remove_raw(PROGRAMS);
    let programs = programs.with_context(|| format!("the client has no section {PROGRAMS}"))?;
    module.customs.add(RawCustomSection {
        name: PROGRAMS.to_owned(),
        data: without_class(&programs.data, UNUSED_CLASS)?,
    });
    let class = UNUSED_CLASS.to_lowercase();
    let exports = module.exports.iter();
    let unused: Vec<_> = exports
        .filter(|export| export.name.contains(&class))
        .map(|export| export.id())
        .collect();
    for export in unused {
        module.exports.delete(export);
    }
    for function in module.funcs.iter_mut() {
        let name = function.name.as_deref().unwrap_or_default();
        // Nothing calls them any more; but some stand in tables, which would keep what they call.
        // Those that describe types are run by `wasm-bindgen` and then left out.
        if name.contains(UNUSED_CRATE)
            && !name.contains("describe")
            && let FunctionKind::Local(function) = &mut function.kind
        {
            let mut body = function.builder_mut().func_body();
            body.instrs_mut().clear();
            body.unreachable();
        }
    }
    Ok(())
}

fn without_class(mut section: &[u8], class: &str) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    while !section.is_empty() {
        let (version, rest) = counted(section)?;
        let (program, rest) = counted(rest)?;
        let holds = |part: &[u8]| part.windows(class.len()).any(|it| it == class.as_bytes());
        if !holds(program) {
            kept.extend_from_slice(version);
            kept.extend_from_slice(program);
        }
        section = rest;
    }
    Ok(kept)
}

/// Cuts off what is counted by the first four bytes, these included.
fn counted(section: &[u8]) -> Result<(&[u8], &[u8])> {
    let counted = section.split_first_chunk().and_then(|(count, rest)| {
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        section.split_at_checked(section.len() - rest.len() + count)
    });
    counted.with_context(|| format!("section {PROGRAMS} ends too early"))
}

/// Gives what the script lends to the client short names, on both sides.
///
/// # Errors
/// If the script does not have one of them.
pub(super) fn shorten_imports(module: &mut Module, script: &str) -> Result<String> {
    let mut short = BTreeMap::new();
    for import in module.imports.iter_mut() {
        let name = short_name(short.len());
        short.insert(std::mem::replace(&mut import.name, name.clone()), name);
    }
    let mut shortened = String::new();
    for line in script.lines() {
        // As each member of the object is written: `    name: function(…`.
        let member = line.split_once(':');
        match member.and_then(|(name, rest)| Some((name, short.remove(name.trim())?, rest))) {
            Some((name, short, rest)) => {
                let indentation = name.len() - name.trim_start().len();
                let indentation = name.split_at(indentation).0;
                shortened.extend([indentation, &short, ":", rest, "\n"]);
            }
            None => shortened.extend([line, "\n"]),
        }
    }
    if let Some(name) = short.keys().next() {
        bail!("the script does not have {name:?}, which the client imports");
    }
    Ok(shortened)
}

/// `a`, `b`, … `z`, `ba`, `bb`, ….
fn short_name(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return letters.into_iter().rev().collect();
        }
    }
}

/// A script without indentation and without comments that have lines of their own.
pub(super) fn without_comments(script: &str) -> String {
    let mut is_comment = false;
    let mut kept = String::new();
    for line in script.lines().map(str::trim) {
        is_comment |= line.starts_with("/*");
        if !is_comment && !line.is_empty() && !line.starts_with("//") {
            kept.extend([line, "\n"]);
        }
        is_comment &= !line.ends_with("*/");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_keeps_all_but_comments_and_blanks_at_the_beginning() {
        let script = "/**\n * a\n */\nexport function b() {\n    // c\n    return \"// d\"; // e\n\n}\n/* f */\ng();\n";
        assert_eq!(
            without_comments(script),
            "export function b() {\nreturn \"// d\"; // e\n}\ng();\n"
        );
    }

    #[test]
    fn names_are_short_and_each_is_another() {
        let names: Vec<_> = [0, 1, 25, 26, 27, 701].map(short_name).into();
        assert_eq!(names, ["a", "b", "z", "ba", "bb", "baz"]);
    }

    #[test]
    fn the_programs_of_a_class_are_left_out() {
        let program = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        let section = ["{}", "Kept", "{}", "xUnusedx"].map(program).concat();
        let kept = ["{}", "Kept"].map(program).concat();
        assert_eq!(without_class(&section, "Unused").unwrap(), kept);
        assert!(without_class(&section[..5], "Unused").is_err());
    }
}
