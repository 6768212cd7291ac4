//! The routes. Every answer names the task and the zone that gave it, in its headers and, for items, in its body.

use crate::{database, database::Pool, items, pictures, pictures::Pictures};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shop_common::ServedBy;
use std::sync::Arc;

/// Larger pictures are refused with 413.
const PICTURE_BYTES: usize = 8 * 1024 * 1024;
const LIST_DEFAULT: i64 = 50;
/// Most items of one answer.
const LIST_MOST: i64 = 100_000;

pub struct Shop {
    pub database: Pool,
    pub pictures: Pictures,
    pub served_by: ServedBy,
    pub log_requests: bool,
}

pub fn routes(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/api/health", get(health))
        .route("/api/items", get(list).post(add))
        .route("/api/items/{id}/picture", get(picture).put(put_picture).post(put_picture))
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "there is no such path") })
        .layer(DefaultBodyLimit::max(PICTURE_BYTES))
        .layer(middleware::from_fn_with_state(shop.clone(), sign_answer))
        .with_state(shop)
}

type Answer<T> = Result<T, Failure>;

#[derive(Serialize)]
struct Served<'a, T> {
    #[serde(flatten)]
    what: T,
    served_by: &'a ServedBy,
}

async fn health(State(shop): State<Arc<Shop>>) -> Response {
    let ServedBy { task, zone } = &shop.served_by;
    if shop.database.is_ready() {
        Json(json!({"status": "ok", "task": task, "zone": zone})).into_response()
    } else {
        let body = json!({"status": "waiting for the database", "task": task, "zone": zone});
        (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<i64>,
}

async fn list(
    State(shop): State<Arc<Shop>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Json<Value>> {
    let Query(query) = query.map_err(|e| Failure::new(StatusCode::BAD_REQUEST, e.body_text()))?;
    let limit = query.limit.unwrap_or(LIST_DEFAULT);
    if limit < 1 {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "limit must be at least 1".to_owned()));
    }
    let limit = limit.min(LIST_MOST);
    let items = items::latest(&shop.database, limit).await?;
    let served: Vec<_> = items.into_iter().map(|what| Served { what, served_by: &shop.served_by }).collect();
    Ok(Json(json!(served)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    name: String,
    price_cents: i64,
}

async fn add(State(shop): State<Arc<Shop>>, body: Bytes) -> Answer<Response> {
    let new: NewItem =
        serde_json::from_slice(&body).map_err(|e| Failure::new(StatusCode::BAD_REQUEST, e.to_string()))?;
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains('\0') {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "name must have 1 to 200 characters"));
    }
    if !(0..=1_000_000_000).contains(&new.price_cents) {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "price_cents must be from 0 to 1000000000"));
    }
    let what = items::add(&shop.database, name, new.price_cents).await?;
    println!("item {} added", what.id);
    Ok((StatusCode::CREATED, Json(json!(Served { what, served_by: &shop.served_by }))).into_response())
}

/// A URL that shows the picture for a while.
async fn picture(State(shop): State<Arc<Shop>>, id: Result<Path<i64>, PathRejection>) -> Answer<Json<Value>> {
    let id = item_id(id)?;
    let key = items::picture(&shop.database, id).await?.ok_or_else(|| no_item(id))?;
    let key = key.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("item {id} has no picture")))?;
    let (url, expires) = shop.pictures.url(&key)?;
    Ok(Json(json!({"id": id, "url": url, "expires": expires, "served_by": shop.served_by})))
}

async fn put_picture(
    State(shop): State<Arc<Shop>>,
    id: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    let id = item_id(id)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("image/") {
        let message = "send the picture as the body, with its content-type (image/…)";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if body.is_empty() {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "the picture is empty"));
    }
    if items::picture(&shop.database, id).await?.is_none() {
        return Err(no_item(id));
    }
    let key = shop.pictures.store(id, kind, body).await?;
    items::set_picture(&shop.database, id, &key).await?;
    let (url, expires) = shop.pictures.url(&key)?;
    println!("picture of item {id} stored");
    let body = json!({"id": id, "key": key, "url": url, "expires": expires, "served_by": shop.served_by});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn item_id(id: Result<Path<i64>, PathRejection>) -> Answer<i64> {
    id.map(|Path(id)| id).map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "an item's id is a number"))
}

fn no_item(id: i64) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("there is no item {id}"))
}

async fn sign_answer(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let what = shop.log_requests.then(|| format!("{} {}", request.method(), request.uri()));
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    for (name, value) in
        [("x-served-by-task", &shop.served_by.task), ("x-served-by-zone", &shop.served_by.zone)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(what) = what {
        println!("{what} {}", answer.status().as_u16());
    }
    answer
}

/// The message for a caller, with its status.
pub struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.message}))).into_response()
    }
}

impl From<database::Error> for Failure {
    fn from(e: database::Error) -> Failure {
        eprintln!("database: {e}");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer; try again")
    }
}

impl From<pictures::Error> for Failure {
    fn from(e: pictures::Error) -> Failure {
        eprintln!("pictures: {e}");
        Failure::new(StatusCode::BAD_GATEWAY, "the picture store does not answer; try again")
    }
}
