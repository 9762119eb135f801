-- The database container of simple-kbs 0.1.1: the tables of its db-mysql.sql, the rows of its db/initial-data.sql, and the
-- users that its docker-compose.yml asks the MariaDB image for.
CREATE DATABASE simple_kbs;
USE simple_kbs;

CREATE TABLE policy (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  allowed_digests longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  allowed_policies longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  min_fw_api_major int(11),
  min_fw_api_minor int(11),
  allowed_build_ids longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  create_date datetime,
  delete_date datetime,
  valid tinyint(1)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8;

CREATE TABLE secrets (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  secret_id varchar(1024),
  secret varchar(1024),
  polid int(11),
  UNIQUE KEY secret_id (secret_id)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8;

CREATE TABLE keysets (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  keysetid varchar(50) NOT NULL,
  kskeys longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  polid int(11),
  UNIQUE KEY `key keyset_id` (keysetid)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8;

CREATE TABLE conn_bundle (
  id varchar(512) NOT NULL PRIMARY KEY,
  sev_version int(11),
  policy int(11),
  fw_api_major int(11),
  fw_api_minor int(11),
  fw_build_id int(11),
  launch_description varchar(512),
  fw_digest varchar(512),
  symkey varchar(512),
  create_date datetime,
  delete_date datetime
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE report_keypair (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  key_id varchar(1024),
  keypair varchar(1024),
  polid int(11),
  UNIQUE KEY key_id (key_id)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8;

CREATE TABLE resources (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  resource_id varchar(1024),
  resource_type varchar(1024),
  resource_path varchar(1024),
  polid int(11),
  UNIQUE KEY resource_id (resource_id)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8;

INSERT INTO secrets VALUES (10, 'key_id1', 'RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4=', NULL);
INSERT INTO keysets VALUES (10, 'KEYSET-1', '["key_id1"]', NULL);

FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE user <> 'mariadb.sys';
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
CREATE USER root@localhost IDENTIFIED BY 'unused';
CREATE USER root@'%' IDENTIFIED BY 'unused';
CREATE USER kbsuser@'%' IDENTIFIED BY 'kbspassword';
GRANT ALL ON *.* TO root@localhost WITH GRANT OPTION;
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
GRANT ALL ON simple_kbs.* TO kbsuser@'%';
