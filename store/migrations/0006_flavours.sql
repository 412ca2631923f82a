-- Spellings of flavours, with the form in which they are compared (which no
-- database can compute): two with the same form are the same flavour. Those
-- that LOWER alone brings to that form are not listed.
CREATE TABLE flavours (
    flavour TEXT NOT NULL PRIMARY KEY,
    folded TEXT NOT NULL
);
CREATE INDEX flavours_folded ON flavours (folded);
