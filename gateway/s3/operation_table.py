"""The S3 API of today, a row for each operation, so that it can be seen at a glance.

Below `METHOD level` each row is

    name  subresources  parameters  right  effect  headers  [flags]

`subresources` are the query names that select the operation, `parameters` the other ones it
takes, `headers` the groups of `operation_headers` that go on; lists are joined by ",", "-" is
none. Flags: `copies` is selected by x-amz-copy-source; `dangerous` would open, copy or brick
the backend behind the gateway's back; `public` needs no right below `public/`.

Left out on purpose: WriteGetObjectResponse (Object Lambda) and ListDirectoryBuckets (directory
buckets), which have endpoints of their own, and CORS preflight, which is the gateway's.
"""

PARAMETER_GROUPS = {
    "@responses": (
        "response-cache-control,response-content-disposition,response-content-encoding,"
        "response-content-language,response-content-type,response-expires"
    ),
    "@page": "delimiter,encoding-type,prefix",
}

TABLE = """
GET service
ListBuckets - max-buckets,continuation-token,prefix,bucket-region none service -

GET bucket
ListObjects - @page,marker,max-keys read list optional-attributes public
ListObjectsV2 list-type @page,max-keys,continuation-token,fetch-owner,start-after read list \
optional-attributes public
ListObjectVersions versions @page,key-marker,max-keys,version-id-marker write list \
optional-attributes
ListMultipartUploads uploads @page,key-marker,max-uploads,upload-id-marker write list -
GetBucketLocation location - read bucket-read -
CreateSession session - admin bucket-read session,sse dangerous
GetBucketAbac abac - admin bucket-read -
GetBucketAccelerateConfiguration accelerate - admin bucket-read -
GetBucketAcl acl - admin bucket-read -
GetBucketAnalyticsConfiguration analytics,id - admin bucket-read -
ListBucketAnalyticsConfigurations analytics continuation-token admin bucket-read -
GetBucketCors cors - admin bucket-read -
GetBucketEncryption encryption - admin bucket-read -
GetBucketIntelligentTieringConfiguration intelligent-tiering,id - admin bucket-read -
ListBucketIntelligentTieringConfigurations intelligent-tiering continuation-token admin \
bucket-read -
GetBucketInventoryConfiguration inventory,id - admin bucket-read -
ListBucketInventoryConfigurations inventory continuation-token admin bucket-read -
GetBucketLifecycleConfiguration lifecycle - admin bucket-read -
GetBucketLogging logging - admin bucket-read -
GetBucketMetadataConfiguration metadataConfiguration - admin bucket-read -
GetBucketMetadataTableConfiguration metadataTable - admin bucket-read -
GetBucketMetricsConfiguration metrics,id - admin bucket-read -
ListBucketMetricsConfigurations metrics continuation-token admin bucket-read -
GetBucketNotificationConfiguration notification - admin bucket-read -
GetObjectLockConfiguration object-lock - admin bucket-read -
GetBucketOwnershipControls ownershipControls - admin bucket-read -
GetBucketPolicy policy - admin bucket-read -
GetBucketPolicyStatus policyStatus - admin bucket-read -
GetPublicAccessBlock publicAccessBlock - admin bucket-read -
GetBucketReplication replication - admin bucket-read -
GetBucketRequestPayment requestPayment - admin bucket-read -
GetBucketTagging tagging - admin bucket-read -
GetBucketVersioning versioning - admin bucket-read -
GetBucketWebsite website - admin bucket-read -

HEAD bucket
HeadBucket - - read bucket-read -

PUT bucket
CreateBucket - - admin bucket-write body,acl,create-bucket
PutBucketAbac abac - admin bucket-write body
PutBucketAccelerateConfiguration accelerate - admin bucket-write body
PutBucketAcl acl - admin bucket-write body,acl dangerous
PutBucketAnalyticsConfiguration analytics,id - admin bucket-write body dangerous
PutBucketCors cors - admin bucket-write body
PutBucketEncryption encryption - admin bucket-write body
PutBucketIntelligentTieringConfiguration intelligent-tiering,id - admin bucket-write body
PutBucketInventoryConfiguration inventory,id - admin bucket-write body dangerous
PutBucketLifecycleConfiguration lifecycle - admin bucket-write body,lifecycle
PutBucketLogging logging - admin bucket-write body dangerous
UpdateBucketMetadataAnnotationTableConfiguration metadataAnnotationTable - admin bucket-write \
body dangerous
UpdateBucketMetadataInventoryTableConfiguration metadataInventoryTable - admin bucket-write \
body dangerous
UpdateBucketMetadataJournalTableConfiguration metadataJournalTable - admin bucket-write \
body dangerous
PutBucketMetricsConfiguration metrics,id - admin bucket-write body
PutBucketNotificationConfiguration notification - admin bucket-write body,notification dangerous
PutObjectLockConfiguration object-lock - admin bucket-write body,lock-token
PutBucketOwnershipControls ownershipControls - admin bucket-write body dangerous
PutBucketPolicy policy - admin bucket-write body,policy dangerous
PutPublicAccessBlock publicAccessBlock - admin bucket-write body dangerous
PutBucketReplication replication - admin bucket-write body,lock-token dangerous
PutBucketRequestPayment requestPayment - admin bucket-write body
PutBucketTagging tagging - admin bucket-write body
PutBucketVersioning versioning - admin bucket-write body,mfa
PutBucketWebsite website - admin bucket-write body dangerous

POST bucket
PostObject - - write write-object -
DeleteObjects delete - write delete-many body,bypass,mfa
CreateBucketMetadataConfiguration metadataConfiguration - admin bucket-write body dangerous
CreateBucketMetadataTableConfiguration metadataTable - admin bucket-write body dangerous

DELETE bucket
DeleteBucket - - admin bucket-write -
DeleteBucketAnalyticsConfiguration analytics,id - admin bucket-write - dangerous
DeleteBucketCors cors - admin bucket-write -
DeleteBucketEncryption encryption - admin bucket-write -
DeleteBucketIntelligentTieringConfiguration intelligent-tiering,id - admin bucket-write -
DeleteBucketInventoryConfiguration inventory,id - admin bucket-write - dangerous
DeleteBucketLifecycle lifecycle - admin bucket-write -
DeleteBucketMetadataConfiguration metadataConfiguration - admin bucket-write - dangerous
DeleteBucketMetadataTableConfiguration metadataTable - admin bucket-write - dangerous
DeleteBucketMetricsConfiguration metrics,id - admin bucket-write -
DeleteBucketOwnershipControls ownershipControls - admin bucket-write - dangerous
DeleteBucketPolicy policy - admin bucket-write - dangerous
DeletePublicAccessBlock publicAccessBlock - admin bucket-write - dangerous
DeleteBucketReplication replication - admin bucket-write - dangerous
DeleteBucketTagging tagging - admin bucket-write -
DeleteBucketWebsite website - admin bucket-write - dangerous

GET object
GetObject - @responses,versionId,partNumber read read-object \
if-get,range,ssec,checksum-mode public
GetObjectAcl acl versionId read read-object -
GetObjectAnnotation annotation,annotationName versionId read read-object checksum-mode
ListObjectAnnotations annotation versionId,max-annotation-results,annotation-prefix,\
continuation-token read read-object -
GetObjectAttributes attributes versionId read read-object attributes,ssec public
GetObjectLegalHold legal-hold versionId read read-object -
GetObjectRetention retention versionId read read-object -
GetObjectTagging tagging versionId read read-object - public
GetObjectTorrent torrent - read read-object -
ListParts uploadId max-parts,part-number-marker write read-upload ssec

HEAD object
HeadObject - @responses,versionId,partNumber read read-object \
if-get,range,ssec,checksum-mode public

PUT object
PutObject - - write write-object body,entity,acl,sse,ssec,lock,if-put,write-offset
CopyObject - - write write-object \
entity,acl,sse,ssec,lock,if-put,copy,directives,checksum-type copies
UploadPart partNumber,uploadId - write write-upload body,ssec
UploadPartCopy partNumber,uploadId - write write-upload ssec,copy,copy-range copies
RenameObject renameObject - write rename-object if-put,rename
PutObjectAcl acl versionId write alter-object body,acl dangerous
PutObjectAnnotation annotation,annotationName versionId write alter-object body,if-annotation
UpdateObjectEncryption encryption versionId write alter-object body
PutObjectLegalHold legal-hold versionId write alter-object body
PutObjectRetention retention versionId write alter-object body,bypass
PutObjectTagging tagging versionId write alter-object body

POST object
CreateMultipartUpload uploads - write write-upload entity,acl,sse,ssec,lock,checksum-type
CompleteMultipartUpload uploadId - write write-object \
body,if-put,ssec,complete,checksum-type
RestoreObject restore versionId write alter-object body
SelectObjectContent select,select-type - read read-object body,ssec

DELETE object
DeleteObject - versionId write delete-object if-delete,bypass,mfa
AbortMultipartUpload uploadId - write write-upload if-abort
DeleteObjectAnnotation annotation,annotationName versionId write alter-object if-annotation
DeleteObjectTagging tagging versionId write alter-object -
"""
