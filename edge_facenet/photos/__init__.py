"""Photos to crops.

decode (sniff, jpeg) -> detect -> mesh -> align: one photo. faces chooses the face and the orientation, examine turns a
photo into a crop or a reason. walk lists a folder, prepare runs over it, growing and sealed are the crop set on the disk
(rows: its tables; place: its folder); cropset is what others import. models and fetch: the networks. orl, packs: data
sets that come in another shape.
"""
