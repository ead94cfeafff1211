"""Routes for machines: health and metadata as the Open Inference Protocol (version 2) has them, and Prometheus' metrics."""

from importlib.metadata import version

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from recbole_llmfb.errors import NotFoundError
from recbole_llmfb.schema import MAX_TEXT
from recbole_llmfb.serving.service.context import AnyService, AsOperator
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import Id, Live, ModelMetadata, Ready, ServerMetadata, TensorMetadata

router = APIRouter(tags=["health"])


@router.get("/v2/health/live", operation_id="live")
async def live() -> Live:
    """The process answers."""
    return Live(live=True)


@router.get("/v2/health/ready", operation_id="ready", responses=problems(503, only=True))
def ready(service: AnyService) -> Ready:
    """The model is loaded, and the database answers."""
    service.database.check()
    return Ready(ready=True)


@router.get("/v2", operation_id="server_metadata")
async def server_metadata() -> ServerMetadata:
    """What answers here."""
    return ServerMetadata(name="recbole-llmfb", version=version("recbole-llmfb"), extensions=())


@router.get("/v2/models/{name:path}/ready", operation_id="model_ready", responses=problems())
def model_ready(name: Id, service: AnyService) -> Ready:
    """The model of that name can be asked."""
    _check_name(name, service)
    service.database.check()
    return Ready(ready=True)


@router.get("/v2/models/{name:path}", operation_id="model_metadata", responses=problems())
def model_metadata(name: Id, service: AnyService) -> ModelMetadata:
    """The model that is served, by the name of its folder of versions."""
    _check_name(name, service)
    bundle = service.bundles.current.bundle
    return ModelMetadata(
        name=name,
        versions=(bundle.version,),
        platform="recbole-llmfb",
        inputs=(TensorMetadata(name=f"text (up to {MAX_TEXT} characters)", datatype="BYTES", shape=(-1,)),),
        outputs=(TensorMetadata(name="score", datatype="FP32", shape=(-1, len(bundle.items))),),
    )


@router.get("/metrics", operation_id="metrics", response_class=Response, responses=problems())
def metrics(principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """Latencies by route and stage, feedback by polarity, hits of the cache, queues: Prometheus' text format, of all workers."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _check_name(name: str, service: AnyService) -> None:
    if name != service.bundles.name:
        raise NotFoundError(f"model {name!r} is not served here, {service.bundles.name!r} is")
