//! Bodies that are what their type says, and refusals that name the field.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use oneloop::time::{Instant, timeout_at};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

/// How long a body may be, in bytes: JSON may write a letter in twelve, and the longest note has 10,100.
const BODY_MAX: usize = 128 * 1024;

/// When a request has to be answered, as it carries it along.
#[derive(Clone, Copy)]
pub(crate) struct Until(pub(crate) Instant);

/// The rules that a type cannot say by itself.
pub(crate) trait Check {
    /// The faults, field by field.
    fn problems(&self) -> Vec<Problem>;
}

/// A body of JSON that was read and checked.
pub(crate) struct Valid<T>(pub(crate) T);

impl<T: DeserializeOwned + Check, S: Sync> FromRequest<S> for Valid<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
            let why = "send it as application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let until = request.extensions().get().map_or_else(Instant::now, |&Until(until)| until);
        let bytes = timeout_at(until, to_bytes(request.into_body(), BODY_MAX)).await;
        let bytes = bytes.map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long"))?;
        let bytes = bytes.map_err(|_| {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, &format!("a body has {BODY_MAX} bytes at most"))
        })?;
        // serde would take a list of a type's fields for the type as well.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::wrong(".", "expected an object, in braces"));
        }
        let reader = &mut serde_json::Deserializer::from_slice(&bytes);
        let value: T = serde_path_to_error::deserialize(&mut *reader).map_err(|error| {
            let (path, error) = (error.path().to_string(), error.into_inner().to_string());
            Refusal::wrong(&path, &error)
        })?;
        reader.end().map_err(|error| Refusal::wrong(".", &error.to_string()))?;
        match value.problems() {
            problems if problems.is_empty() => Ok(Self(value)),
            errors => Err(Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, errors }),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Its name, or nothing where it is the request as a whole
    field: String,
    problem: String,
}

impl Problem {
    pub(crate) fn of(field: &str, problem: &str) -> Self {
        Self { field: field.to_owned(), problem: problem.to_owned() }
    }
}

/// Why a request is not answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    errors: Vec<Problem>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, why: &str) -> Self {
        Self { status, errors: vec![Problem::of("", why)] }
    }

    pub(crate) fn field(field: &str, problem: &str) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, errors: vec![Problem::of(field, problem)] }
    }

    pub(crate) fn missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here by that name")
    }

    /// A fault that serde found: at a path, or in a sentence that names a field in backticks.
    fn wrong(path: &str, error: &str) -> Self {
        let named = error.split('`').nth(1).filter(|_| error.contains(" field `"));
        Self::field(if path == "." || path == "?" { named.unwrap_or("") } else { path }, error)
    }

    /// A fault that axum found in a query. Its text ends in `field: what is wrong`, or in a sentence of serde's.
    pub(crate) fn of_text(text: &str) -> Self {
        let text = text.split_once(": ").map_or(text, |(_, rest)| rest);
        match text.split_once(": ") {
            Some((field, problem)) if !field.contains(' ') => Self::field(field, problem),
            _ => Self::wrong(".", text),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
