#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Java: the JDK's own server in an archive, and an embedded Tomcat by its main class."""
import tempfile
import unittest

from artefacts import java_archive, java_class
from talk import Server, ServerTest, talks

TOMCAT = ":".join(f"/usr/share/java/{name}.jar" for name in ("tomcat10-embed-core", "tomcat10-embed-el", "jakarta-annotation-api"))


@talks(
    Server("jdk", "payments", "java", ("java", "-Xmx64m", "-jar", java_archive("Payments.java", "Payments", "payments-2.1.jar"),
                                       "{port}")),
    Server("tomcat", "HelpDesk", "java",
           ("java", "-Xmx64m", "-cp", java_class("HelpDesk.java", "shop.desk.HelpDesk", TOMCAT) + ":" + TOMCAT,
            "shop.desk.HelpDesk", "{port}", tempfile.mkdtemp(prefix="waggle-tomcat-"))),
)
class Java(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
