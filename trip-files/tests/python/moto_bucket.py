"""moto's S3 server with the files of a folder as objects; ends with its standard input.

All may be read by everybody, but for those whose names begin with `private`.
"""

import pathlib
import sys

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "tripdata"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="rider",
    aws_secret_access_key="secret",
)
client.create_bucket(Bucket=BUCKET)
folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.rglob("*")):
    if path.is_file():
        client.put_object(
            Bucket=BUCKET,
            Key=str(path.relative_to(folder)),
            Body=path.read_bytes(),
            ACL="private" if path.name.startswith("private") else "public-read",
        )
print(endpoint, flush=True)
sys.stdin.read()
server.stop()
