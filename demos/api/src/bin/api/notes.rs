//! The handlers. Their types are the API: what is read, what is checked and what the page shows comes from them.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::docs;
use crate::store::Store;
use crate::valid::{Check, Problem, Refusal, Valid};

/// A note as a client sends it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// In a line, from 1 to 100 letters
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "milk")]
    pub(crate) title: String,
    /// Up to 10,000 letters
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub(crate) text: String,
    /// How much it matters, from 0 to 5
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 5)]
    pub(crate) stars: u8,
}

/// A whole number as OpenAPI has it: `5.0` is one, too.
fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<u8, D::Error> {
    let number = Number::deserialize(value)?;
    let whole = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=255.0).contains(number));
    whole.map(|number| number as u8).ok_or_else(|| D::Error::custom("it must be a whole number from 0 to 5"))
}

impl Check for Draft {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=100).contains(&self.title.chars().count()) || self.title.chars().any(char::is_control) {
            problems.push(Problem::of("title", "it must be a line of 1 to 100 letters"));
        }
        if self.text.chars().count() > 10_000 {
            problems.push(Problem::of("text", "it must have 10,000 letters at most"));
        }
        if self.stars > 5 {
            problems.push(Problem::of("stars", "it must be from 0 to 5"));
        }
        problems
    }
}

/// A note, as it is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) stars: u8,
}

/// Which notes to list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Those behind this one
    #[serde(default)]
    pub(crate) after: i64,
    /// So many at most
    #[serde(default = "twenty")]
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: u8,
}

fn twenty() -> u8 {
    20
}

#[utoipa::path(get, path = "/notes", params(Page), tag = "notes", responses(
    (status = 200, description = "notes in the order of their numbers", body = [Note]),
    (status = 422, description = "a field is wrong", body = Refusal)))]
async fn list(
    State(store): State<Store>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Note>>, Refusal> {
    let Query(page) = page.map_err(|rejection| Refusal::of_text(&rejection.body_text()))?;
    if !(1..=100).contains(&page.limit) {
        return Err(Refusal::field("limit", "it must be from 1 to 100"));
    }
    Ok(Json(store.list(page).await?))
}

#[utoipa::path(post, path = "/notes", request_body = Draft, tag = "notes", responses(
    (status = 201, description = "it is kept", body = Note),
    (status = 408, description = "the body took too long", body = Refusal),
    (status = 413, description = "the body is too long", body = Refusal),
    (status = 415, description = "the body is not JSON", body = Refusal),
    (status = 422, description = "a field is wrong", body = Refusal)))]
async fn add(State(store): State<Store>, Valid(draft): Valid<Draft>) -> Result<impl IntoResponse, Refusal> {
    Ok((StatusCode::CREATED, Json(store.add(draft).await?)))
}

#[utoipa::path(get, path = "/notes/{id}", params(("id" = i64, Path)), tag = "notes", responses(
    (status = 200, description = "the note", body = Note),
    (status = 404, description = "there is none of this number", body = Refusal),
    (status = 422, description = "the number is none", body = Refusal)))]
async fn show(State(store): State<Store>, id: Result<Path<i64>, PathRejection>) -> Result<Json<Note>, Refusal> {
    Ok(Json(store.show(number(id)?).await?.ok_or_else(Refusal::missing)?))
}

#[utoipa::path(put, path = "/notes/{id}", params(("id" = i64, Path)), request_body = Draft, tag = "notes", responses(
    (status = 200, description = "the note as it is now", body = Note),
    (status = 404, description = "there is none of this number", body = Refusal),
    (status = 408, description = "the body took too long", body = Refusal),
    (status = 413, description = "the body is too long", body = Refusal),
    (status = 415, description = "the body is not JSON", body = Refusal),
    (status = 422, description = "a field is wrong", body = Refusal)))]
async fn change(
    State(store): State<Store>,
    id: Result<Path<i64>, PathRejection>,
    Valid(draft): Valid<Draft>,
) -> Result<Json<Note>, Refusal> {
    Ok(Json(store.change(number(id)?, draft).await?.ok_or_else(Refusal::missing)?))
}

#[utoipa::path(delete, path = "/notes/{id}", params(("id" = i64, Path)), tag = "notes", responses(
    (status = 204, description = "it is gone"),
    (status = 404, description = "there is none of this number", body = Refusal),
    (status = 422, description = "the number is none", body = Refusal)))]
async fn remove(State(store): State<Store>, id: Result<Path<i64>, PathRejection>) -> Result<StatusCode, Refusal> {
    if store.remove(number(id)?).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Refusal::missing()) }
}

fn number(id: Result<Path<i64>, PathRejection>) -> Result<i64, Refusal> {
    id.map(|Path(id)| id).map_err(|_| Refusal::field("id", "it must be a whole number"))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "notes", description = "Notes on one thread, kept in SQLite"),
    paths(list, add, show, change, remove),
    tags((name = "notes", description = "what is to be remembered"))
)]
struct Api;

/// The API and its page.
pub(crate) fn router(store: Store) -> Router {
    Router::new()
        .route("/notes", get(list).post(add))
        .route("/notes/{id}", get(show).put(change).delete(remove))
        .with_state(store)
        .merge(docs::router(Api::openapi()))
        .fallback(async || Refusal::missing())
        .method_not_allowed_fallback(async || Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not by this method"))
}
