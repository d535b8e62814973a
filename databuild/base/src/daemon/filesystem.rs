//! A warning for state folders on network file systems, where SQLite's WAL mode
//! is unsafe and locks may not reach other hosts.

use std::io;
use std::path::Path;

/// Magic numbers of network and cluster file systems, from `statfs(2)` and the
/// file systems' sources. FUSE is missing because it tells nothing: it also
/// serves local disks.
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00C3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x0BD0_0BD0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x4750_4653, "GPFS"),
    (0xAAD7_AAEA, "PanFS"),
    (0x1983_0326, "BeeGFS"),
];

/// The name of the network file system that `path` lies on; `None` if it is a
/// local one, or one not known here.
pub fn network_filesystem(path: &Path) -> io::Result<Option<&'static str>> {
    let found = rustix::fs::statfs(path)?;
    // The field's type and sign differ between platforms; the magic number is
    // its low 32 bits.
    Ok(name_of(found.f_type as u64))
}

fn name_of(f_type: u64) -> Option<&'static str> {
    NETWORK.iter().find(|(magic, _)| *magic == f_type & 0xFFFF_FFFF).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_have_names_also_when_sign_extended() {
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(0xFFFF_FFFF_FF53_4D42), Some("CIFS"));
        assert_eq!(name_of(0xEF53), None, "ext4");
    }

    #[test]
    fn proc_is_local_and_a_missing_path_is_an_error() {
        assert_eq!(network_filesystem(Path::new("/proc")).expect("statfs"), None);
        assert!(network_filesystem(Path::new("/proc/no/such/path")).is_err());
    }
}
