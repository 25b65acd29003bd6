//! The page of the API: Swagger UI's scripts as they are, in a page and with a style of our own.
//!
//! All of it is in the program, so it works without a network. The page may load what comes from here, and no other.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, serve};

use crate::valid::Refusal;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, and the document that it shows.
pub(crate) fn router(document: OpenApi) -> Router {
    let page = get(async || ([(CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("docs.html"))));
    Router::new()
        .route("/openapi.json", get(async || Json(document)))
        .route("/", get(async || Redirect::to("/docs/")))
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", page.clone())
        .route("/docs/index.html", page)
        .route("/docs/docs.css", get(async || ([(CONTENT_TYPE, "text/css")], include_str!("docs.css"))))
        .route("/docs/{*file}", get(file))
}

/// A file of Swagger UI's.
async fn file(Path(name): Path<String>) -> Response {
    match serve(&name, Arc::new(Config::from("/openapi.json"))) {
        Ok(Some(file)) => ([(CONTENT_TYPE, file.content_type)], file.bytes).into_response(),
        _ => Refusal::missing().into_response(),
    }
}
