package archive_test

import "github.com/dropship/dropship/artifact/archive"

// tarsOfTools are tars that GNU tar, bsdtar, cpio and pax make.
func tarsOfTools() []torture {
	var all []torture
	add := func(name, script string) {
		all = append(all, torture{name: name, format: archive.Tar, script: script})
	}
	for _, format := range []string{"v7", "oldgnu", "gnu", "ustar", "posix"} {
		add("GNU tar, "+format, "tree; tar --format="+format+" -cf - .")
	}
	add("bsdtar, restricted pax", "tree; bsdtar -cf - d e symlink hardlink")
	add("bsdtar, pax", "tree; bsdtar --format=pax -cf - d e symlink hardlink")
	add("bsdtar, ustar", "tree; bsdtar --format=ustar -cf - d e symlink hardlink")
	add("bsdtar, gnutar", "tree; bsdtar --format=gnutar -cf - d e symlink hardlink")
	add("bsdtar, v7", "tree; bsdtar --format=v7 -cf - d e symlink hardlink")
	add("cpio, ustar", "tree; find . | sort | cpio --quiet -o -H ustar")
	add("cpio, old tar", "tree; find . | sort | cpio --quiet -o -H tar")
	add("pax, ustar", "tree; pax -w -x ustar .")
	add("cpio, newc, is no tar", "tree; find . | sort | cpio --quiet -o -H newc")
	add("bsdtar, cpio, is no tar", "tree; bsdtar --format=cpio -cf - .")
	add("bsdtar, 7-Zip, is no tar", "tree; bsdtar --format=7zip -cf - .")
	add("bsdtar, ISO 9660, is no tar", "tree; bsdtar --format=iso9660 -cf - .")
	add("bsdtar, shell archive, is no tar", "tree; bsdtar --format=shar -cf - d/f")

	add("long names, GNU", "n=$(printf 'n%.0s' {1..250}); mkdir $n; echo x >$n/$n; ln -s $n/$n link; ln $n/$n hard; tar --format=gnu -cf - hard link $n")
	add("long names, pax", "n=$(printf 'n%.0s' {1..250}); mkdir $n; echo x >$n/$n; ln -s $n/$n link; ln $n/$n hard; tar --format=posix -cf - hard link $n")
	add("long names, prefix of ustar", "n=$(printf 'n%.0s' {1..90}); mkdir $n; echo x >$n/$n; tar --format=ustar -cf - $n")
	add("name of 256 bytes", "echo x >f; n=$(printf 'n%.0s' {1..256}); tar --transform=s,.*,$n, -cf - f")
	add("path of 3,839 bytes", "echo x >f; n=$(printf 'n%.0s' {1..255}); p=$(printf \"$n/%.0s\" {1..14}); tar --transform=s,.*,${p}$n, -cf - f")
	add("path of more than 4096 bytes", "echo x >f; n=$(printf 'n%.0s' {1..255}); p=$(printf \"$n/%.0s\" {1..16}); tar --transform=s,.*,${p}$n, -cf - f")
	add("256 directories deep", "echo x >f; p=$(printf 'd/%.0s' {1..255}); tar --transform=s,.*,${p}f, -cf - f")
	add("10,000 directories deep", "echo x >f; p=$(printf 'd/%.0s' {1..10000}); tar --transform=s,.*,${p}f, -cf - f")
	add("100,000 entries", "mkdir d; (cd d; seq 100000 | xargs touch); tar -cf - d")

	for _, sparse := range []string{"--format=gnu", "--format=posix --sparse-version=0.0", "--format=posix --sparse-version=0.1", "--format=posix --sparse-version=1.0"} {
		add("sparse, "+sparse, "truncate -s 1M f; printf middle | dd of=f seek=1000 conv=notrunc status=none; truncate -s 2M f; printf end >>f; tar -S "+sparse+" -cf - f")
	}
	add("sparse with more holes than a header has room for", "for i in {0..63}; do printf x | dd of=f bs=8192 seek=$i conv=notrunc status=none; done; tar -S --format=gnu -cf - f")
	add("sparse without any data", "truncate -s 10M f; tar -S --format=gnu -cf - f")
	add("sparse, a terabyte", "truncate -s 1T f; tar -S --format=gnu -cf - f")
	add("sparse, a terabyte, pax", "truncate -s 1T f; tar -S --format=posix -cf - f")

	add("hard links across directories", "mkdir a b; echo x >a/1; ln a/1 b/2; ln a/1 3; tar -cf - a b 3")
	add("hard link before its target", "mkdir a b; echo x >a/1; ln a/1 b/2; tar -cf t a b; tar -f t --delete a/1; cat t")
	add("hard link to a symlink", "mkdir a b; ln -s ../f a/1; ln -P a/1 b/2; echo x >f; tar -cf - a b f")
	add("chain of symlinks", "echo x >0; for i in {1..20}; do ln -s $((i-1)) $i; done; tar -cf - *")
	add("symlink loop", "ln -s b a; ln -s a b; ln -s self self; tar -cf - a b self")
	add("symlink to an absolute path", "ln -s /etc/passwd l; tar -cf - l")
	add("symlink outside", "mkdir d; ln -s ../../passwd d/l; tar -cf - d")
	add("absolute name", `tar -Pcf - "$AROUND/passwd"`)
	add("name with ..", "mkdir d; echo x >neighbour; cd d; tar -Pcf - ../neighbour")
	add("name with .. in the middle", "mkdir d; echo x >f; tar -Pcf - d/../f")
	add("name with .. at the end", "mkdir -p d/e; cd d; tar -Pcf - e/..")

	add("file through a symlink", "mkdir d; ln -s d s; tar -cf t d s; rm s; mkdir s; echo x >s/f; tar -rf t s/f; cat t")
	add("directory replaced by a symlink", "mkdir d; echo x >d/f; tar -cf t d; rm -r d; ln -s . d; tar -rf t d; cat t")
	add("symlink replaced by a directory", "ln -s . d; tar -cf t d; rm d; mkdir d; tar -rf t d; cat t")
	add("file replaced by a directory", "echo x >d; tar -cf t d; rm d; mkdir d; tar -rf t d; cat t")
	add("symlink replaced by a file", "ln -s neighbour f; tar -cf t f; rm f; echo x >f; tar -rf t f; cat t")
	add("file replaced by a symlink", "echo x >f; echo y >g; tar -cf t f g; rm f; ln -s g f; tar -rf t f; cat t")
	add("the same file twice", "echo first >f; tar -cf t f; echo second >f; tar -rf t f; cat t")
	add("linked file replaced", "echo first >f; ln f g; tar -cf t f g; rm f; echo second >f; tar -rf t f; cat t")
	add("entry below a file", "echo x >f; tar -cf t f; rm f; mkdir f; echo y >f/g; tar -rf t f/g; cat t")

	add("character device", "tar -C /dev -cf - null")
	add("fifo", "mkfifo p; tar -cf - p")
	add("setuid", "echo x >su; chmod 4755 su; tar -cf - su")
	add("setgid", "echo x >sg; chmod 2755 sg; tar -cf - sg")
	add("setgid directory", "mkdir sg; chmod 2755 sg; tar -cf - sg")
	add("sticky", "mkdir t; chmod 1777 t; echo x >t/f; chmod 1644 t/f; tar -cf - t")
	add("directories without any rights, with content", "mkdir -p d/e; echo x >d/e/f; chmod 000 d/e/f d/e d; tar -cf - d")
	add("no rights for the top directory", "mkdir t; echo x >t/f; chmod 000 t; tar -C t -cf - .")
	add("another owner", "echo x >f; tar --owner=nobody:12345 --group=none:54321 -cf - f")
	setuid := torture{name: "setuid, allowed", format: archive.Tar, script: "echo x >su; chmod 6755 su; tar -cf - su"}
	setuid.adjust = func(o *archive.Options) { o.Setuid = true }
	all = append(all, setuid)

	add("before 1970", "echo x >f; tar --format=gnu --mtime=1901-01-01 -cf - f")
	add("before 1970, pax", "echo x >f; tar --format=posix --mtime='1969-12-31 23:59:58.75' -cf - f")
	add("in the year 9999", "echo x >f; ln -s f l; mkdir d; tar --format=gnu --mtime=9999-12-31 -cf - f l d")
	add("seconds with 18 digits", "echo x >f; tar --format=posix --mtime=@100000000000000000 -cf - f")
	add("names in two cases", "echo x >f; echo y >F; tar -cf - F f")
	add("names with every kind of byte", `touch -- 'new
line' 'back\slash' '..\..\neighbour' $'\xff\xfe' $'tab\t' $'\x1b[31m' ' ' '...' '-rf' '~' $'\u202e'; tar -cf - -- *`)
	add("the top directory alone", "mkdir t; chmod 750 t; tar -C t -cf - .")
	add("no entry", "tar -cf - -T /dev/null")
	add("empty", "true")
	add("blocks of zeros", "head -c 1M /dev/zero")
	add("noise", "seq 100000")
	add("label", "tree; tar -V label -cf - d")
	add("first of two volumes", "seq 10000 >f; tar -cM -L 20 -f one -f two -f three f; cat one")
	add("second of two volumes", "seq 10000 >f; tar -cM -L 20 -f one -f two -f three f; cat two")
	add("incremental", "tree; tar --listed-incremental=snapshot -cf - d")
	add("two archives, one after another", "echo x >f; echo y >g; tar -cf a f; tar -cf b g; cat a b")
	add("two archives, joined", "echo x >f; echo y >g; tar -cf a f; tar -cf b g; tar -Af a b; cat a")
	add("garbage at the end", "tree; tar -cf - d; seq 10000")
	add("cut off in a file", "seq 10000 >f; tar -cf - f | { head -c 20000; cat >/dev/null; }")
	add("cut off in a header", "tree; tar -cf - d | { head -c 700; cat >/dev/null; }")
	add("cut off between entries", "echo x >f; echo y >g; tar -cf - f g | { head -c 1024; cat >/dev/null; }")
	add("extended attributes", "tree; tar --xattrs --acls --selinux -cf - d")
	add("gzip instead", "tree; tar -czf - d")
	return all
}
