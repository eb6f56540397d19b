"""Photos to crops.

decode (sniff, jpeg) -> detect -> mesh -> align: one photo. face is what was found of one face, faces chooses the
orientation, far finds small faces of a photo that shows no other, tiles those beside larger ones (pieces: parts of a
photo), choose picks among several, examine turns a photo into crops or a reason. walk lists a folder, listed a CSV,
prepare runs over it with crew's processes; growing and sealed are the crop set on the disk (rows: its tables; shards:
its crops; place: its folder; likeness: its duplicates); cropset is what others import. models and fetch: the networks.
aligner, shots and quality: what recognition shares. orl, packs: data sets that come in another shape.
"""
