# SPDX-License-Identifier: Apache-2.0
"""Another program that calls by Elasticsearch's client, its first argument, over TLS: the server shows the CERTIFICATE of the
environment."""
import os
import runpy
import sys

import elasticsearch

Plain = elasticsearch.Elasticsearch
elasticsearch.Elasticsearch = lambda url, **options: Plain(url.replace("http:", "https:"), ca_certs=os.environ["CERTIFICATE"], **options)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
