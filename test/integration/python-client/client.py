"""Drives the agentd API as a stranger would: with stubs that grpcio-tools made from proto/, and nothing else of agentd.

usage: client.py STUBS SERVER REPOSITORY BUNDLE

Prints one line of JSON with what it saw; the test judges it.
"""

import hashlib
import json
import pathlib
import sys

stubs, server, repository, bundle_path = sys.argv[1:]
sys.path.insert(0, stubs)

import grpc
from google.protobuf import duration_pb2, field_mask_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from agentd.v1 import event_service_pb2, event_service_pb2_grpc
from agentd.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from agentd.v1 import repository_service_pb2, repository_service_pb2_grpc
from agentd.v1 import resource_pb2
from agentd.v1 import task_service_pb2, task_service_pb2_grpc
from agentd.v1 import worker_service_pb2, worker_service_pb2_grpc

PARENT = "namespaces/default"
TIMEOUT = 30


def job_of(name, **spec):
    check = job_pb2.Check(name="test", run="test -f {{item}}", timeout=duration_pb2.Duration(seconds=30))
    return job_pb2.Job(
        metadata=resource_pb2.Metadata(name=name, labels={"made-by": "python"}),
        spec=job_pb2.JobSpec(
            repository=spec.pop("source", job_pb2.Repository(url=repository, ref="main")),
            plan=job_pb2.Plan(for_each=job_pb2.ForEach(glob="src/*.ts")),
            template=job_pb2.TaskTemplate(prompt="Look at {{item}}.", checks=[check]),
            **spec,
        ),
    )


def refused(call):
    """What a call was refused with, from the google.rpc.Status of its trailers."""
    try:
        call()
    except grpc.RpcError as error:
        found = {"code": error.code().name}
        status = rpc_status.from_call(error)
        for detail in status.details if status is not None else []:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
                found |= {"reason": info.reason, "domain": info.domain, "metadata": dict(info.metadata)}
            if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                found["fields"] = [each.field for each in bad.field_violations]
            if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                found["retry_ms"] = retry.retry_delay.ToMilliseconds()
        return found
    return {"code": "OK"}


def upload(repositories):
    data = pathlib.Path(bundle_path).read_bytes()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()

    def chunks():
        for at in range(0, len(data), 65536):
            yield repository_service_pb2.UploadBundleRequest(
                digest=digest if at == 0 else "", chunk=data[at : at + 65536]
            )

    return repositories.UploadBundle(chunks(), timeout=TIMEOUT).digest


def create(jobs, name, request_id="", **spec):
    request = job_service_pb2.CreateJobRequest(parent=PARENT, job=job_of(name, **spec), request_id=request_id)
    return jobs.CreateJob(request, timeout=TIMEOUT)


def update(jobs, name, paths, version="", **spec):
    job = job_pb2.Job(metadata=resource_pb2.Metadata(name=name, resource_version=version), spec=job_pb2.JobSpec(**spec))
    mask = field_mask_pb2.FieldMask(paths=paths)
    return jobs.UpdateJob(job_service_pb2.UpdateJobRequest(job=job, update_mask=mask), timeout=TIMEOUT)


def watch(jobs, seen):
    """Follows a job through two changes, from the version of a list."""
    version = jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PARENT), timeout=TIMEOUT).resource_version
    changes = jobs.WatchJobs(job_service_pb2.WatchJobsRequest(parent=PARENT, resource_version=version), timeout=TIMEOUT)
    first = update(jobs, "py-a", ["spec.priority"], priority=7)
    update(jobs, "py-a", ["spec.suspend"], suspend=True)
    found = []
    for change in changes:
        if change.job.metadata.name == "py-a":
            found.append([change.job.spec.priority, change.job.spec.suspend])
        if len(found) == 2:
            break
    changes.cancel()
    seen["watched"] = found
    seen["stale_update"] = refused(lambda: update(jobs, "py-a", ["spec.priority"], first.metadata.resource_version))
    try:
        for _ in jobs.WatchJobs(job_service_pb2.WatchJobsRequest(parent=PARENT), timeout=0.5):
            pass
    except grpc.RpcError as error:
        seen["deadline"] = error.code().name


def main():
    channel = grpc.insecure_channel(server)
    jobs = job_service_pb2_grpc.JobServiceStub(channel)
    repositories = repository_service_pb2_grpc.RepositoryServiceStub(channel)
    seen = {}

    job = create(jobs, "py-a", "request-1")
    seen["created"] = [job.metadata.name, job.status.total, job.metadata.create_time.ToDatetime().year]
    seen["same_request"] = create(jobs, "py-a", "request-1").metadata.uid == job.metadata.uid
    seen["same_id_other_body"] = refused(lambda: create(jobs, "py-other", "request-1"))
    seen["bad_fields"] = refused(lambda: create(jobs, "Bad Name", parallelism=-1))

    digest = upload(repositories)
    source = job_pb2.Repository(upload=digest, ref="main")
    seen["from_upload"] = create(jobs, "py-b", source=source).status.total
    parts = list(
        repositories.DownloadBundle(
            repository_service_pb2.DownloadBundleRequest(job=f"{PARENT}/jobs/py-b"), timeout=TIMEOUT
        )
    )
    seen["downloaded"] = [parts[0].branch, len(parts[0].commit)]
    seen["bad_upload"] = refused(
        lambda: repositories.UploadBundle(
            iter([repository_service_pb2.UploadBundleRequest(digest="sha256:" + "0" * 64, chunk=b"not a bundle")]),
            timeout=TIMEOUT,
        )
    )

    listed = jobs.ListJobs(
        job_service_pb2.ListJobsRequest(parent=PARENT, label_selector="made-by=python", page_size=1), timeout=TIMEOUT
    )
    rest = jobs.ListJobs(
        job_service_pb2.ListJobsRequest(
            parent=PARENT, label_selector="made-by=python", page_size=1, page_token=listed.next_page_token
        ),
        timeout=TIMEOUT,
    )
    seen["pages"] = [each.metadata.name for each in [*listed.jobs, *rest.jobs]]
    watch(jobs, seen)

    tasks = task_service_pb2_grpc.TaskServiceStub(channel)
    of_job = task_service_pb2.ListTasksRequest(parent=f"{PARENT}/jobs/py-a", field_selector="status.state=Pending")
    seen["tasks"] = [each.spec.checks[0].timeout.seconds for each in tasks.ListTasks(of_job, timeout=TIMEOUT).tasks]
    events = event_service_pb2_grpc.EventServiceStub(channel)
    told = events.ListEvents(event_service_pb2.ListEventsRequest(parent=f"{PARENT}/jobs/py-a"), timeout=TIMEOUT)
    seen["events"] = sorted({each.reason for each in told.events})
    workers = worker_service_pb2_grpc.WorkerServiceStub(channel)
    cordon = worker_service_pb2.CordonWorkerRequest(name="workers/none")
    seen["no_worker"] = refused(lambda: workers.CordonWorker(cordon, timeout=TIMEOUT))

    big = job_of("py-big")
    big.metadata.annotations["big"] = "x" * 100_000_000
    too_big = job_service_pb2.CreateJobRequest(parent=PARENT, job=big)
    seen["100 MB"] = refused(lambda: jobs.CreateJob(too_big, timeout=TIMEOUT))["code"]
    other = channel.unary_unary("/agentd.v2.JobService/GetJob")
    seen["v2"] = refused(lambda: other(b"", timeout=TIMEOUT))["code"]

    stop = job_service_pb2.CancelJobRequest(name=f"{PARENT}/jobs/py-a")
    seen["cancelled"] = jobs.CancelJob(stop, timeout=TIMEOUT).metadata.name
    gone = job_service_pb2.DeleteJobRequest(name=f"{PARENT}/jobs/py-a")
    jobs.DeleteJob(gone, timeout=TIMEOUT)
    seen["deleted"] = refused(
        lambda: jobs.GetJob(job_service_pb2.GetJobRequest(name=f"{PARENT}/jobs/py-a"), timeout=TIMEOUT)
    )
    print(json.dumps(seen))


main()
