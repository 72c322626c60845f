//! One path decides: which app a request belongs to, and what is sent on of its target.

use http1::{PathScratch, RequestHead, Resolved};

use crate::answer::Answer;

/// Resolves the target of a request and refuses what lies outside the app's path base.
///
/// # Errors
/// 400 for a path that climbs above the root, 404 outside the base.
pub(crate) fn resolve<'a>(
    head: &RequestHead,
    data: &'a [u8],
    scratch: &'a mut PathScratch,
    base: &[u8],
) -> Result<Resolved<'a>, Answer> {
    let resolved =
        http1::resolve(head.path_and_query.of(data), scratch).map_err(|refusal| Answer::refused(&refusal))?;
    // `OPTIONS *` is about the server as a whole; the app of the root site answers for it.
    let inside = match head.form {
        http1::TargetForm::Asterisk => base == b"/",
        http1::TargetForm::Origin | http1::TargetForm::Absolute => http1::base_match(resolved.deciding, base),
    };
    if inside { Ok(resolved) } else { Err(Answer::outside_base()) }
}
