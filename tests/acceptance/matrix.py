"""Who may do what through the S3 door: every operation, by hand, from what the gateway promises.

`ROWS` says how each operation of the S3 API is asked for, and of which kind it is; `BUCKETS`
and `KEYS_OF` say what each kind answers to whom. Nothing here is taken from the gateway's own
table: where the two disagree, one of them is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FOUR = ("none", "read", "write", "admin")
"""Who asks: nobody, and keys with one grant on the workspace each."""

ROWS = """
ListBuckets                                      own            GET    service
ListObjects                                      list           GET    bucket
ListObjectsV2                                    list           GET    bucket  list-type=2
ListObjectVersions                               list-all       GET    bucket  versions
ListMultipartUploads                             list-all       GET    bucket  uploads
GetBucketLocation                                bucket         GET    bucket  location
HeadBucket                                       bucket         HEAD   bucket
CreateSession                                    danger         GET    bucket  session
CreateBucket                                     creation       PUT    bucket
DeleteBucket                                     removal        DELETE bucket

GetBucketAbac                                    setting        GET    bucket  abac
GetBucketAccelerateConfiguration                 setting        GET    bucket  accelerate
GetBucketAcl                                     setting        GET    bucket  acl
GetBucketAnalyticsConfiguration                  setting        GET    bucket  analytics&id=x
ListBucketAnalyticsConfigurations                setting        GET    bucket  analytics
GetBucketCors                                    setting        GET    bucket  cors
GetBucketEncryption                              setting        GET    bucket  encryption
GetBucketIntelligentTieringConfiguration         setting        GET    bucket  intelligent-tiering&id=x
ListBucketIntelligentTieringConfigurations       setting        GET    bucket  intelligent-tiering
GetBucketInventoryConfiguration                  setting        GET    bucket  inventory&id=x
ListBucketInventoryConfigurations                setting        GET    bucket  inventory
GetBucketLifecycleConfiguration                  setting        GET    bucket  lifecycle
GetBucketLogging                                 setting        GET    bucket  logging
GetBucketMetadataConfiguration                   setting        GET    bucket  metadataConfiguration
GetBucketMetadataTableConfiguration              setting        GET    bucket  metadataTable
GetBucketMetricsConfiguration                    setting        GET    bucket  metrics&id=x
ListBucketMetricsConfigurations                  setting        GET    bucket  metrics
GetBucketNotificationConfiguration               setting        GET    bucket  notification
GetObjectLockConfiguration                       setting        GET    bucket  object-lock
GetBucketOwnershipControls                       setting        GET    bucket  ownershipControls
GetBucketPolicy                                  setting        GET    bucket  policy
GetBucketPolicyStatus                            setting        GET    bucket  policyStatus
GetPublicAccessBlock                             setting        GET    bucket  publicAccessBlock
GetBucketReplication                             setting        GET    bucket  replication
GetBucketRequestPayment                          setting        GET    bucket  requestPayment
GetBucketTagging                                 setting        GET    bucket  tagging
GetBucketVersioning                              setting        GET    bucket  versioning
GetBucketWebsite                                 setting        GET    bucket  website

PutBucketAbac                                    change         PUT    bucket  abac
PutBucketAccelerateConfiguration                 change         PUT    bucket  accelerate
PutBucketCors                                    change         PUT    bucket  cors
PutBucketEncryption                              change         PUT    bucket  encryption
PutBucketIntelligentTieringConfiguration         change         PUT    bucket  intelligent-tiering&id=x
PutBucketLifecycleConfiguration                  change         PUT    bucket  lifecycle
PutBucketMetricsConfiguration                    change         PUT    bucket  metrics&id=x
PutObjectLockConfiguration                       change         PUT    bucket  object-lock
PutBucketRequestPayment                          change         PUT    bucket  requestPayment
PutBucketTagging                                 change         PUT    bucket  tagging
PutBucketVersioning                              change         PUT    bucket  versioning
DeleteBucketCors                                 change         DELETE bucket  cors
DeleteBucketEncryption                           change         DELETE bucket  encryption
DeleteBucketIntelligentTieringConfiguration      change         DELETE bucket  intelligent-tiering&id=x
DeleteBucketLifecycle                            change         DELETE bucket  lifecycle
DeleteBucketMetricsConfiguration                 change         DELETE bucket  metrics&id=x
DeleteBucketTagging                              change         DELETE bucket  tagging

PutBucketAcl                                     danger         PUT    bucket  acl
PutBucketAcl:private                             change         PUT    bucket  acl
PutBucketAnalyticsConfiguration                  danger         PUT    bucket  analytics&id=x
PutBucketInventoryConfiguration                  danger         PUT    bucket  inventory&id=x
PutBucketLogging                                 danger         PUT    bucket  logging
UpdateBucketMetadataAnnotationTableConfiguration danger         PUT    bucket  metadataAnnotationTable
UpdateBucketMetadataInventoryTableConfiguration  danger         PUT    bucket  metadataInventoryTable
UpdateBucketMetadataJournalTableConfiguration    danger         PUT    bucket  metadataJournalTable
PutBucketNotificationConfiguration               danger         PUT    bucket  notification
PutBucketOwnershipControls                       danger         PUT    bucket  ownershipControls
PutBucketPolicy                                  danger         PUT    bucket  policy
PutPublicAccessBlock                             danger         PUT    bucket  publicAccessBlock
PutBucketReplication                             danger         PUT    bucket  replication
PutBucketWebsite                                 danger         PUT    bucket  website
CreateBucketMetadataConfiguration                danger         POST   bucket  metadataConfiguration
CreateBucketMetadataTableConfiguration           danger         POST   bucket  metadataTable
DeleteBucketAnalyticsConfiguration               danger         DELETE bucket  analytics&id=x
DeleteBucketInventoryConfiguration               danger         DELETE bucket  inventory&id=x
DeleteBucketMetadataConfiguration                danger         DELETE bucket  metadataConfiguration
DeleteBucketMetadataTableConfiguration           danger         DELETE bucket  metadataTable
DeleteBucketOwnershipControls                    danger         DELETE bucket  ownershipControls
DeleteBucketPolicy                               danger         DELETE bucket  policy
DeletePublicAccessBlock                          danger         DELETE bucket  publicAccessBlock
DeleteBucketReplication                          danger         DELETE bucket  replication
DeleteBucketWebsite                              danger         DELETE bucket  website

GetObject                                        read           GET    object
HeadObject                                       read           HEAD   object
GetObjectAttributes                              read           GET    object  attributes
GetObjectTagging                                 read           GET    object  tagging
GetObjectAcl                                     look           GET    object  acl
GetObjectAnnotation                              look           GET    object  annotation&annotationName=x
ListObjectAnnotations                            look           GET    object  annotation
GetObjectLegalHold                               look           GET    object  legal-hold
GetObjectRetention                               look           GET    object  retention
GetObjectTorrent                                 newest         GET    object  torrent
SelectObjectContent                              newest         POST   object  select&select-type=2
ListParts                                        parts          GET    object  uploadId=none

PutObject                                        write          PUT    object
CopyObject                                       write          PUT    object
UploadPart                                       parts          PUT    object  partNumber=1&uploadId=none
UploadPartCopy                                   parts          PUT    object  partNumber=1&uploadId=none
CreateMultipartUpload                            upload         POST   object  uploads
CompleteMultipartUpload                          upload         POST   object  uploadId=none
AbortMultipartUpload                             parts          DELETE object  uploadId=none
RenameObject                                     rename         PUT    object  renameObject
PutObjectAcl                                     danger         PUT    object  acl
PutObjectAcl:private                             alter          PUT    object  acl
PutObjectAnnotation                              alter          PUT    object  annotation&annotationName=x
UpdateObjectEncryption                           alter          PUT    object  encryption
PutObjectLegalHold                               alter          PUT    object  legal-hold
PutObjectRetention                               alter          PUT    object  retention
PutObjectRetention:bypass                        govern         PUT    object  retention
PutObjectTagging                                 alter          PUT    object  tagging
RestoreObject                                    alter          POST   object  restore
DeleteObject                                     write          DELETE object
DeleteObject:pinned                              destroy        DELETE object
DeleteObjectAnnotation                           alter          DELETE object  annotation&annotationName=x
DeleteObjectTagging                              alter          DELETE object  tagging
DeleteObjectTagging:pinned                       destroy        DELETE object  tagging

PostObject                                       form           POST   bucket
DeleteObjects                                    many           POST   bucket  delete
"""  # noqa: E501 - a table

# 403 is AccessDenied, and nothing reaches the backend's bucket. "passes": this request does.
# 409 is what CreateBucket says of a bucket that is there.
BUCKETS = """
            none    read    write   admin
own         403     200     200     200
list        403     passes  passes  passes
list-all    403     403     passes  passes
bucket      403     passes  passes  passes
setting     403     403     403     passes
change      403     403     403     passes
danger      403     403     403     403
creation    403     409     409     409
removal     403     403     403     403
"""

# "commit": the pinned version is what is asked for. "newest": no version is, so the newest.
# "absent": as a key that never was, and the key is not asked for. "501": this one can't be
# told apart from what is staged. "hidden": a writer's own 404. Below `public/`, and (after a
# comma) elsewhere, where that differs.
KEYS_OF = """
read        none         read    write   admin
ordinary    absent,403   newest  newest  newest
committed   commit,403   commit  newest  newest
changed     commit,403   commit  newest  newest
staged      absent,403   absent  newest  newest
manifest    commit,403   commit  hidden  hidden
_manifest   absent,403   absent  newest  newest

look        none         read    write   admin
ordinary    403          newest  newest  newest
committed   403          commit  newest  newest
changed     403          commit  newest  newest
staged      403          absent  newest  newest
manifest    403          commit  hidden  hidden
_manifest   403          absent  newest  newest

newest      none         read    write   admin
ordinary    403          newest  newest  newest
committed   403          501     newest  newest
changed     403          501     newest  newest
staged      403          absent  newest  newest
manifest    403          501     hidden  hidden
_manifest   403          absent  newest  newest

parts       none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     passes  passes
changed     403          403     passes  passes
staged      403          403     passes  passes
manifest    403          403     passes  passes
_manifest   403          403     passes  passes

upload      none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     passes  passes
changed     403          403     passes  passes
staged      403          403     passes  passes
manifest    403          403     400     400
_manifest   403          403     400     400

write       none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     passes  passes
changed     403          403     passes  passes
staged      403          403     passes  passes
manifest    403          403     passes  passes
_manifest   403          403     passes  passes

rename      none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     501     501
changed     403          403     501     501
staged      403          403     501     501
manifest    403          403     501     501
_manifest   403          403     501     501

alter       none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     passes  passes
changed     403          403     passes  passes
staged      403          403     passes  passes
manifest    403          403     passes  passes
_manifest   403          403     passes  passes

govern      none         read    write   admin
ordinary    403          403     403     passes
committed   403          403     403     passes
changed     403          403     403     passes
staged      403          403     403     passes
manifest    403          403     403     passes
_manifest   403          403     403     passes

danger      none         read    write   admin
ordinary    403          403     403     403
committed   403          403     403     403
changed     403          403     403     403
staged      403          403     403     403
manifest    403          403     403     403
_manifest   403          403     403     403

destroy     none         read    write   admin
committed   403          403     403     403
changed     403          403     403     403
manifest    403          403     403     403

form        none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     passes  passes
changed     403          403     passes  passes
staged      403          403     passes  passes
manifest    403          403     passes  passes
_manifest   403          403     passes  passes

many        none         read    write   admin
ordinary    403          403     passes  passes
committed   403          403     passes  passes
changed     403          403     passes  passes
staged      403          403     passes  passes
manifest    403          403     passes  passes
_manifest   403          403     passes  passes
"""

SEAWEEDFS_LACKS = frozenset(
    (
        "DeleteBucketAnalyticsConfiguration",
        "DeleteBucketIntelligentTieringConfiguration",
        "DeleteBucketInventoryConfiguration",
        "DeleteBucketMetadataConfiguration",
        "DeleteBucketMetadataTableConfiguration",
        "DeleteBucketMetricsConfiguration",
        "DeleteBucketReplication",
        "DeleteBucketWebsite",
        "DeleteObjectAnnotation",
        "GetObjectAnnotation",
        "GetObjectTorrent",
        "ListObjectAnnotations",
        "PutBucketAbac",
        "PutBucketAccelerateConfiguration",
        "PutBucketAnalyticsConfiguration",
        "PutBucketIntelligentTieringConfiguration",
        "PutBucketInventoryConfiguration",
        "PutBucketLogging",
        "PutBucketMetricsConfiguration",
        "PutBucketNotificationConfiguration",
        "PutBucketReplication",
        "PutBucketWebsite",
        "PutObjectAnnotation",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
        "UpdateObjectEncryption",
    )
)
"""What the backend would take for something else: 501 for whoever has the right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One operation as it is asked for. `variant` tells requests of one operation apart."""

    name: str
    variant: str
    kind: str
    method: str
    level: str
    query: str

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method not in ("GET", "HEAD") and self.name != "SelectObjectContent"

    def target(self, bucket: str, key: str = "") -> str:
        """Path and query of a request to this key, which needs no escaping."""
        path = "/" if self.level == "service" else f"/{bucket}"
        if self.level == "object":
            path += f"/{key}"
        return f"{path}?{self.query}" if self.query else path

    def __str__(self) -> str:
        return f"{self.name}:{self.variant}" if self.variant else self.name


def rows() -> Iterator[Row]:
    """Every row, in order."""
    for line in filter(None, ROWS.splitlines()):
        label, kind, method, level, *query = line.split()
        name, _, variant = label.partition(":")
        yield Row(name, variant, kind, method, level, "".join(query))


def on_buckets() -> Mapping[str, Mapping[str, str]]:
    """By kind of operation: what each caller is answered."""
    _, *lines = filter(None, BUCKETS.splitlines())
    return {kind: dict(zip(FOUR, cells, strict=True)) for kind, *cells in map(str.split, lines)}


def on_keys(*, public: bool) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """By kind of operation and kind of key: what each caller is answered."""
    found = {}
    for block in KEYS_OF.strip().split("\n\n"):
        heading, *lines = block.splitlines()
        found[heading.split()[0]] = {
            kind: dict(
                zip(FOUR, [cell.split(",")[0 if public else -1] for cell in cells], strict=True)
            )
            for kind, *cells in map(str.split, lines)
        }
    return found
