"""What addresses no bucket."""

from tests.differential.client import Client
from tests.differential.scene import PLAIN, Scene

service = Scene("service", kinds=(PLAIN,))


@service.setup
def _head(client: Client) -> None:
    client.ask("HEAD")


service.add("ListBuckets", lambda client: client.send("GET", "/"), "workspaces")
service.add(
    "ListBuckets, two", lambda client: client.send("GET", "/", "max-buckets=2"), "workspaces"
)
service.add(
    "boto3's list_buckets", lambda client: client.call("list_buckets", Bucket=None), "workspaces"
)
service.add("HEAD", lambda client: client.send("HEAD", "/"), "no-row")
service.add("POST", lambda client: client.send("POST", "/"), "no-row")

SCENES = (service,)
