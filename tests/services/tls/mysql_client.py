# SPDX-License-Identifier: Apache-2.0
"""Another program that calls by PyMySQL, its first argument, over TLS: the server shows the CERTIFICATE of the environment."""
import functools
import os
import runpy
import sys

import pymysql

pymysql.connect = functools.partial(pymysql.connect, ssl={"ca": os.environ["CERTIFICATE"]})
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
