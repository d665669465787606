# Where things are installed, and the Debian package (make deb): cpack -G DEB in a build folder.
install(TARGETS waggle RUNTIME DESTINATION bin)
install(FILES packaging/waggle.service DESTINATION lib/systemd/system)
install(FILES packaging/waggle.yaml DESTINATION /etc/waggle)
install(FILES packaging/debian/copyright README.md docs/privileges.md docs/configuration.md docs/metrics.md docs/protocols.md docs/platforms.md DESTINATION share/doc/waggle)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME waggle)
set(CPACK_PACKAGE_CONTACT "The Waggle authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "observability without code changes")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Sees every service on a Linux host by eBPF and reports its requests as metrics\nand traces, without touching it. Runs as a user of its own.")
# Libraries by what the program is linked with; the scripts' tools beside them.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers")
set(scripts ${PROJECT_SOURCE_DIR}/packaging/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${scripts}/postinst;${scripts}/prerm;${scripts}/postrm;${scripts}/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
