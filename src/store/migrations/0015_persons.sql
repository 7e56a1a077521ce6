-- Which contacts are one person, as operators have said: facts, not projections. The number of a person is that of the act
-- that made it, so no two ever have the same. A contact that is not here is a person by itself.
CREATE TABLE person (
    contact INTEGER PRIMARY KEY,
    person  INTEGER NOT NULL
);
CREATE INDEX person_contacts ON person (person);

-- Whether a contact by itself is a VIP, by operator, else by configuration. Its `vip` is whether any contact of its person is.
ALTER TABLE contact ADD COLUMN own_vip INTEGER NOT NULL DEFAULT 0;
UPDATE contact SET own_vip = vip;
